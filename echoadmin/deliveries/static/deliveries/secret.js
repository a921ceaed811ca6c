// The page that shows a secret is the answer to a form: reloading it shows the subscription, and sends nothing again.

history.replaceState(null, "", document.getElementById("secret").dataset.rowAddress);
