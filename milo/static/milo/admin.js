// unfold draws icons by ligatures: words that a screen reader would say before the name of each link
document.addEventListener("DOMContentLoaded", () => {
    for (const icon of document.querySelectorAll(".material-symbols-outlined")) {
        const named = icon.closest("[title], [aria-label]") ?? icon.closest("a, button");
        if (named?.title || named?.ariaLabel || named?.textContent.trim() !== icon.textContent.trim()) {
            icon.ariaHidden = "true";
        }
        if (icon.parentElement.matches("div[title]")) {
            icon.parentElement.role = "img";
        }
    }
});
