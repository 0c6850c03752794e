// The accounts of the demonstration: a click fills the form and logs in.
for (const button of document.querySelectorAll("[data-fill-login]")) {
  button.addEventListener("click", () => {
    const form = document.getElementById("login-form");
    form.elements.username.value = button.dataset.fillLogin;
    form.elements.password.value = button.dataset.fillPassword;
    form.requestSubmit();
  });
}
