// What the page does beyond forms: doors that are live, buttons that are held. Without it
// every form still works.
"use strict";
for (const box of document.querySelectorAll("[data-live]")) {
	const source = new EventSource(box.dataset.live);
	source.onmessage = (e) => {
		if (!box.querySelector(".held")) box.innerHTML = e.data;
	};
}
let timer = 0;
function press(button) {
	button.classList.add("held");
	timer = setTimeout(() => {
		button.dataset.ready = "1";
		button.form.requestSubmit(button);
	}, Number(button.dataset.hold));
}
function release(button) {
	clearTimeout(timer);
	button.classList.remove("held");
}
const held = (e) => e.target.closest && e.target.closest("button[data-hold]");
document.addEventListener("pointerdown", (e) => held(e) && press(held(e)));
for (const end of ["pointerup", "pointercancel", "pointerout"]) document.addEventListener(end, (e) => held(e) && release(held(e)));
document.addEventListener("keydown", (e) => held(e) && !e.repeat && (e.key === " " || e.key === "Enter") && press(held(e)));
document.addEventListener("keyup", (e) => held(e) && release(held(e)));
document.addEventListener("click", (e) => {
	const b = held(e);
	if (b && !b.dataset.ready) e.preventDefault();
});
