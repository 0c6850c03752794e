// <details class="menu"> behaves like a menu: it closes outside, on Escape, and when another opens.

const close = (menu) => {
  menu.open = false;
};

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) close(menu);
  }
  if (event.target.closest("[data-back]")) history.back();
  if (event.target.closest("[data-print]")) print();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    close(menu);
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
  }
});
