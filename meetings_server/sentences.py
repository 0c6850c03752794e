"""The sentences people read when something is refused, by the stable code of the refusal.

A sentence says what is wrong and what to do; `{names}` are typed fields of the error. The English
text is the key of its translation.
"""

from http import HTTPStatus

from meetings_server.i18n import mark

SENTENCES: dict[str, str] = {
    "rules_changed": mark(
        "Somebody else has changed these steps meanwhile. Look at them as they are now, then change them again."
    ),
    "too_many_browsers": mark(
        "Notices are allowed in {most} browsers already. Remove one that is no longer used."
    ),
    "too_many_steps": mark("A kind of meeting has at most {most} steps."),
    "unknown_browser": mark("Notices are not allowed in this browser any more."),
    "push_off": mark("Notices on devices are switched off on this server."),
    "account_closed": mark(
        "Your account is closed. Ask the administrator of your unit to open it."
    ),
    "answer_not_awaited": mark(
        "This login was begun too long ago, in another browser, or has been used already. Begin again."
    ),
    "answer_not_sound": mark(
        "The answer of {provider} cannot be believed, so nobody was logged in. Begin again; if it stays so, tell the administrator."
    ),
    "claim_missing": mark(
        "The login did not say who you are here (“{claim}” is missing). Tell the administrator; with a password you can log in meanwhile."
    ),
    "linked_to_another": mark(
        "The account “{called}” belongs to another identity at the provider. Ask the administrator of your unit to take the old link away."
    ),
    "login_abandoned": mark(
        "The login at {provider} was not finished. Begin again, or use your password."
    ),
    "mail_not_verified": mark(
        "The provider has not verified your mail address {called}. Have it verified there, then log in again."
    ),
    "no_pending_login": mark("This took too long. Log in again, then enter the code."),
    "nobody_of_this_name": mark(
        "You are logged in at the provider, but “{called}” has no account here. Ask the administrator of your unit to open one under exactly this name, then log in again."
    ),
    "nothing_to_confirm": mark(
        "The picture has been shown for too long. Begin again with a new one."
    ),
    "provider_away": mark(
        "{provider} does not answer. Log in with your user name and password, or try again in a minute."
    ),
    "provider_refused": mark(
        "{provider} refused the login ({error}). Tell the administrator; with a password you can log in meanwhile."
    ),
    "reorganisation_running": mark("The plan is being applied at this moment."),
    "scope_missing": mark(
        "The token does not open this: it lacks the scope {scope}. Make a token that has it on the page of your account."
    ),
    "second_factor_due": mark(
        "Your role asks for a second factor. Set it up first; open “My account”."
    ),
    "second_factor_required": mark("Enter the code from your authenticator app as well."),
    "administrator_gap": mark(
        "From {day} on nobody would administer {unit}; {person} is the last. Name another one first, or accept the gap."
    ),
    "already_entrusted": mark(
        "{secretary} is entrusted already from {first} to {last}. End that first, or choose other days."
    ),
    "already_booked": mark("This meeting has been made already; nothing was made twice."),
    "audience_rule_invalid": mark("Audience rule {index}: {problem} {value}"),
    "backup_newer": mark(
        "The backup was made by a newer version of this program (revision {revision}). Install that version, then restore."
    ),
    "backup_unreadable": mark("The file is no backup, or not a whole one: {problem}"),
    "booking_conflict": mark(
        "Other meetings hold bridge points at this time. Choose another time or other points."
    ),
    "check_in_not_open": mark("Check-in opens at {opens_at}."),
    "columns_missing": mark("The file lacks the columns {missing}; it has {found}."),
    "decided_meanwhile": mark(
        "{by} has decided in the meantime. Read that decision below, then decide again."
    ),
    "database_not_empty": mark(
        "A backup is restored into an empty database; this one has {rows} rows of {table}. Name another one with MEETINGS_DATABASE_URL."
    ),
    "cursor_invalid": mark("The cursor does not belong to this list; begin without one."),
    "directive_state": mark("The document is not in a state that allows this. Reload the page."),
    "idempotency_key_reused": mark("The Idempotency-Key came with another request before: {key}"),
    "decline_reason_missing": mark("Say why the unit does not take part."),
    "denied": mark("You may not do this."),
    "file_damaged": mark(
        "The file is damaged on the server. Tell the administrator; it has to be restored from a backup."
    ),
    "file_empty": mark("The file is empty. Choose another file."),
    "file_has_macros": mark(
        "The file contains macros. Save it without macros and upload it again."
    ),
    "file_incomplete": mark(
        "The end of the file is missing. Open it on your computer, save it and upload it again."
    ),
    "file_missing": mark("There is no such file."),
    "file_name_missing": mark("The file needs a name."),
    "file_too_large": mark("The file is too large; at most {megabytes} MB."),
    "file_type_refused": mark(
        "This kind of file cannot be taken: its content is {found_name}, and its name or type must agree with that. PDF, DOCX, XLSX, PPTX, ODT, PNG, JPEG and plain text can be uploaded."
    ),
    "file_unpacks_too_large": mark(
        "The file unpacks to far more than it seems and was refused. Save it again with smaller pictures."
    ),
    "in_person_only": mark(
        "This takes the person themselves: signing, issuing and lending rights cannot be done on behalf of somebody. Stop acting for them first."
    ),
    "last_administrator": mark(
        "{person} is the last administrator of {unit}. Name another one first."
    ),
    "late_reason_missing": mark(
        "The invitation is later than {working_days} working days before the meeting "
        "(last day {latest_day}). State the reason."
    ),
    "list_not_sound": mark("The list has faults; nothing was written."),
    "login_refused": mark("User name or password is wrong."),
    "main_file_missing": mark(
        "The document itself is missing. Upload it as PDF or DOCX, then issue it."
    ),
    "main_point_out_of_service": mark("{point} is out of service: {reason}"),
    "line_test_closed": mark("The line test is closed: the meeting is over or was called off."),
    "line_test_no_problem": mark(
        "There is no problem any more: somebody has tested it again. Reload the page."
    ),
    "meeting_not_held": mark("The meeting was not held, so there is no attendance to report."),
    "meeting_closed": mark("The meeting is over or was called off; check-in is closed."),
    "meeting_state": mark("The meeting is not in a state that allows this. Reload the page."),
    "nobody_addressed": mark("The recipients come to no unit. Add units."),
    "not_your_calendar": mark("This calendar is another person’s."),
    "nobody_invited": mark("The audience comes to no bridge point. Add units."),
    "not_utf8": mark("Line {line} is not UTF-8. Save the file as “CSV UTF-8” and try again."),
    "outside_own_subtree": mark(
        "You can pass it on only to units below yours; these lie elsewhere: {units}"
    ),
    "paper_doubled": mark("The same file is among the papers already: “{title}”."),
    "old_workbook": mark(
        "The file is an old Excel file (.xls) or has a password. Save it as XLSX without a password and try again."
    ),
    "fault_reported": mark("This fault is on record already; nothing was written twice."),
    "fault_solved": mark("The fault has been solved already, at {solved_at}."),
    "not_a_technician": mark(
        "This person is no technician or operator over the unit. Give the role first."
    ),
    "outage_overlaps": mark(
        "The point is out of service already, from {starts_at}: {reason}. Change the end of that outage instead."
    ),
    "point_closed": mark("{point} is closed for good since {closed_on}."),
    "points_changed": mark(
        "The bridge points of {unit} have changed meanwhile. Reload the page and order them again."
    ),
    "too_many_technicians": mark("A bridge point has at most {most} technicians."),
    "too_many_devices": mark(
        "A bridge point has at most {most} tablets. Revoke one that is no longer used."
    ),
    "device_revoked": mark(
        "This tablet has been revoked or has expired. Add it again as a new one."
    ),
    "unknown_device": mark("There is no such tablet."),
    "pairing_refused": mark(
        "This code is not valid: it was used already, or is older than 15 minutes. Ask for a new one on the page of the bridge point."
    ),
    "too_much_equipment": mark("A bridge point lists at most {most} pieces of equipment."),
    "unknown_equipment": mark("This piece of equipment is no longer on the list."),
    "unknown_fault": mark("There is no such fault."),
    "unknown_technician": mark("This person does not look after the bridge point."),
    "outage_over": mark("The point has been in service again since {ended_at}."),
    "no_administrator_left": mark(
        "From that day on nobody could give rights at {unit}: {persons} would lose theirs. Name an administrator above it first."
    ),
    "plan_applied_already": mark("This very plan, “{name}”, has been applied for {day} already."),
    "plan_backdated": mark(
        "Meetings that have been held since {day} would get other units: {meetings}. Choose a day from today on."
    ),
    "plan_changes_nothing": mark("The plan leaves every unit as it is on {day}. Look at the list."),
    "plan_day_passed": mark("The day of the plan, {day}, has passed. Choose today or a later day."),
    "plan_not_sound": mark("The plan is not sound: {problems}"),
    "plans_overlap": mark(
        "Another plan for {day}, “{other}”, changes the same units: {units}. Take that one back first."
    ),
    "reorganisation_in_use": mark(
        "The new units are in use already: {things}. Remove this first, then take the plan back."
    ),
    "reorganisation_state": mark(
        "The plan is not in a state that allows this: its day has come, or it was taken back. Reload the page."
    ),
    "unit_in_meeting": mark(
        "{unit} is in the meeting “{meeting}”, which is under way. End the meeting first, or choose a later day."
    ),
    "unknown_reorganisation": mark("There is no such plan."),
    "reason_missing": mark("State the reason; everyone invited will read it."),
    "correction_reason_missing": mark("State what is corrected and why; it is printed."),
    "minutes_empty": mark("Nothing has been written yet. Write what was said or concluded."),
    "minutes_exist": mark("There are minutes already; open them and go on there."),
    "minutes_stale": mark(
        "{saved_by} saved meanwhile ({saved_at}). Nothing of yours is lost; compare and decide."
    ),
    "minutes_state": mark(
        "The minutes are not in a state that allows this; issued minutes never change. Reload the page."
    ),
    "not_a_secretary": mark(
        "{person} is no secretary in this time. Only a secretary can act on behalf of an official."
    ),
    "not_an_official": mark(
        "{person} is no official in this time. Only an official can let a secretary act for them."
    ),
    "nothing_to_substitute": mark(
        "{person} holds none of these roles in this time; there is nothing to hand over."
    ),
    "not_the_chair": mark("Only the chair of the meeting ({chair}) may do this."),
    "number_taken": mark("The number {number} of {year} has been given already. Take another."),
    "role_held": mark("This person holds this role at {unit} already in this time."),
    "send_back_reason_missing": mark("Say what the secretary has to change."),
    "server_stopping": mark("The server is restarting; nothing was saved. Try again in a moment."),
    "password_change_due": mark("Choose a password of your own first; open “My account”."),
    "plan_changed": mark("The data has changed since you looked at the list. Look at it again."),
    "sheet_unclear": mark("Several sheets of the workbook hold a list: {sheets}. Choose one."),
    "stale_version": mark(
        "Somebody else changed this meanwhile. Look at the present state, then change it again."
    ),
    "substitute_away": mark(
        "{substitute} is away themselves from {first} to {last}. Choose somebody else."
    ),
    "substitute_named": mark(
        "{substitute} steps in from {first} to {last} already. End that first, choose other roles or days, or say that two people share the role."
    ),
    "state_secret_refused": mark(
        "A state secret must not be kept on this system (Law on the protection of state secrets). Nothing was saved. Circulate it on paper; you can note where the paper lies."
    ),
    "too_many_attempts": mark(
        "Too many failed logins. Wait {minutes} minutes, then try again; "
        "an administrator can give you a new password."
    ),
    "too_many_at_once": mark("Too many check-ins at once. Try again in {seconds} seconds."),
    "too_many_columns": mark(
        "The table has more than {most} columns. Take out what is not needed."
    ),
    "too_many_rows": mark("The table has more than {most} rows. Split it into several files."),
    "unit_ended": mark(
        "{unit} has not existed since {day}. Its successor issues documents in its own name, with its own numbers."
    ),
    "units_exist": mark("Units with these codes exist already on {on}: {units}"),
    "units_not_sound": mark("The list of units is not sound: {problems}"),
    "unknown_catalogue": mark("There is no catalogue “{name}”; there are {known}."),
    "unknown_directive": mark("There is no such document, or it was not sent to your unit."),
    "unknown_directive_file": mark("The document has no such file."),
    "unknown_grant": mark("There is no such role; it may have been ended already."),
    "task_replaced": mark(
        "A correction of the minutes has replaced this task. Follow up the new one."
    ),
    "unknown_entrustment": mark("There is no such mandate; it may have ended already."),
    "unknown_substitution": mark("There is no such substitution; it may have ended already."),
    "unknown_feed": mark("No calendar has this address, or the address has been renewed."),
    "unknown_delivery": mark("There is no such mail."),
    "not_to_retry": mark("This mail is on its way or has arrived; it is not sent again."),
    "body_encoding": mark("The body must not be encoded ({encoding}); send it as it is."),
    "events_unreadable": mark("The events cannot be read: {problem}"),
    "help_over": mark("This call is over already; there is nothing left to do."),
    "help_taken": mark("{by} has this call since {since}. Ring them, or take another one."),
    "message_over": mark(
        "This message was withdrawn or corrected already. Look at the newest one."
    ),
    "request_replayed": mark("This very request came before; nothing was done a second time."),
    "signature_missing": mark("The request is not signed: its time or its signature is missing."),
    "signature_old": mark(
        "The signature is {seconds} seconds away from this server's time; set the clock of the video system."
    ),
    "signature_wrong": mark("The signature does not fit. Check the secret and what is signed."),
    "too_many_messages": mark("A meeting holds at most {most} messages."),
    "unknown_help_call": mark("There is no such call for help."),
    "unknown_message": mark("There is no such message."),
    "unknown_video_connection": mark("There is no such connection of a video system."),
    "unknown_meeting": mark("There is no such meeting, or you are not invited to it."),
    "unknown_minutes": mark("There are no such minutes, or they are not issued yet."),
    "unknown_paper": mark("There is no such paper, or it has been taken back."),
    "unknown_outage": mark("There is no such outage; it may have been taken back already."),
    "unknown_participation": mark("There is no such invitation."),
    "unknown_audit_entry": mark(
        "There is no entry {entry} in the record of changes, or it is about a unit that you do not look after."
    ),
    "unknown_person": mark("There is no such person: {person}"),
    "unknown_point": mark("There is no bridge point {point}."),
    "unknown_receipt": mark("The document was not sent to this unit."),
    "unknown_task": mark("There is no such task."),
    "unknown_unit": mark("No unit has the code {unit} on {on}."),
    "upload_cut_short": mark("The upload broke off. Upload the file again."),
    "username_taken": mark("The user name {username} is taken."),
    "workbook_damaged": mark(
        "The file cannot be read as an XLSX workbook. Open it on your computer, save it as XLSX and try again."
    ),
    "workbook_unpacks_too_large": mark(
        "The workbook unpacks to more than {megabytes} MB and was refused. Keep only the list in it."
    ),
}
"""By the code of a `DomainError`."""

FIELD_PROBLEMS: dict[str, str] = {
    "malformed": mark("Cannot be read."),
    "no_push_service": mark(
        "This browser uses a push service that the server may not call. Tell the administrator."
    ),
    "about_you": mark(
        "Is made of your name, your unit or this service; others try these first. Add words of your own."
    ),
    "nobody_addressed": mark("No bridge point that is invited belongs to it."),
    "not_a_helper": mark("May not look after this point. Choose somebody else."),
    "only_with_needs_help": mark("Is said only together with the need for help."),
    "nothing_chosen": mark("Choose at least one."),
    "too_common": mark("Is among the passwords that are tried first everywhere. Choose another."),
    "too_simple": mark("Is a row of keys or the same again and again. Choose several words."),
    "wrong_code": mark(
        "Does not fit. Enter the six digits that the app shows now; each opens only once. The clock of the telephone must be right."
    ),
    "wrong_recovery_code": mark("Is no recovery code of yours, or has been used already."),
    "account_closed": mark("The account of this person is closed; choose somebody else."),
    "before_first_day": mark("Lies before the first day."),
    "contradiction": mark("Contradicts another field."),
    "control_characters": mark("Has characters that cannot be kept."),
    "empty": mark("Must not be empty."),
    "has_spaces": mark("Must not have spaces."),
    "in_the_future": mark("Lies in the future; set the clock of the device."),
    "in_the_past": mark("Lies in the past."),
    "missing": mark("Is missing."),
    "not_a_telephone": mark("Is no telephone number; write digits, spaces and + only."),
    "not_chosen": mark("Choose a name from the list that appears while you type."),
    "not_an_address": mark("Is no mail address; write name@office.vn"),
    "no_offset": mark("Lacks the offset from UTC, such as +07:00."),
    "not_a_date": mark("Is no date; write day/month/year."),
    "not_a_link": mark("Is no link; it begins with https://"),
    "not_a_number": mark("Is no number."),
    "not_a_time": mark("Is no time; write hours:minutes."),
    "not_an_instant": mark("Is no instant; write it as 2026-11-23T08:00:00+07:00."),
    "not_after_start": mark("Must be after the start."),
    "not_of_kind": mark("Does not fit the kind; its symbol begins with {limit}."),
    "not_the_same": mark("Is not the same as the new password above."),
    "number_in_symbol": mark("Begins with the number; write the symbol alone, such as KH-UBND."),
    "oneself": mark("Choose somebody else: this is the same person."),
    "out_of_range": mark("Must lie within {limit}."),
    "same_as_before": mark("Is the present one; choose another."),
    "before_noticed": mark("Lies before the fault was noticed."),
    "day_to_come": mark("Lies in the future."),
    "not_a_sip_address": mark("Is no SIP address; write it as sip:1000@hop.gov.vn"),
    "not_an_h323_address": mark(
        "Is no H.323 address; write an IP address, a number or an alias without spaces."
    ),
    "nothing_to_call": mark("Without equipment there is no address to call; leave it empty."),
    "too_long_ago": mark("Lies more than {limit} days back."),
    "span_too_long": mark("Is too long; at most {limit} days."),
    "too_far": mark("Lies more than {limit} days ahead."),
    "too_long": mark("Is too long; at most {limit}."),
    "too_many": mark("Too many; at most {limit}."),
    "too_old": mark("Lies more than {limit} years back."),
    "too_short": mark("Is too short; at least {limit}."),
    "unit_ended": mark("The unit no longer exists on that day; it ended on {limit}."),
    "unit_not_begun": mark("The unit does not exist yet on that day; it begins on {limit}."),
    "unknown": mark("Is not known: {limit}"),
    "wrong_password": mark("Is not your present password."),
}
"""By the `problem` of a `FieldInvalid`; it stands at the field."""

HTTP_SENTENCES: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: mark("The request cannot be read."),
    HTTPStatus.UNAUTHORIZED: mark("You are not logged in, or the session has ended."),
    HTTPStatus.FORBIDDEN: mark("You may not do this."),
    HTTPStatus.NOT_FOUND: mark("There is no such page."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: mark("The upload is too large."),
    HTTPStatus.INTERNAL_SERVER_ERROR: mark(
        "The server made a mistake. Nothing was changed; tell the administrator the number."
    ),
}
"""What the framework itself refuses, by status."""
