// Everything that each page needs. Pages add their own modules beside it.
import "./menus.js";
import "./dialogs.js";
import "./dates.js";
import "./files.js";
import "./validity.js";
import "./forms.js";
import "./drafts.js";
import "./search.js";
import "./clock.js";
import "./bell.js";
