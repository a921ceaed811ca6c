// The most that a conversation can cost, kept true while its limit is typed.

const words = document.querySelector("[data-price-words][data-price]");
const minutes = document.querySelector("input[name=minutes]");

function tell() {
  const limit = Number(minutes.value);
  const price = Number(words.dataset.price);
  const per = `About ${price.toFixed(2)} ${words.dataset.currency} a minute`;
  words.textContent = limit > 0 ? `${per}, at most ${(price * limit).toFixed(2)} ${words.dataset.currency} in ${limit} min.` : `${per}.`;
}

if (words && minutes) {
  minutes.addEventListener("input", tell);
  tell();
}
