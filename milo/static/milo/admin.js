// unfold makes buttons of divs, spans and links without an address, which the keyboard does not reach: before Alpine reads
// them, make them buttons that say what they open, lead the keyboard into it, and back on Escape
document.addEventListener("alpine:init", () => {
    for (const button of document.querySelectorAll("[x-on\\:click]:not(a[href], button, input, #changelist-filter-close)")) {
        const opens = /^(\w+) = (?:true|!\1)/.exec(button.getAttribute("x-on:click"))?.[1];
        button.role = "button";
        button.tabIndex = 0;
        button.addEventListener("keydown", event => {
            if (event.key === "Enter" || event.key === " ") {
                event.preventDefault();
                button.click();
            }
        });
        if (opens) {
            button.setAttribute("x-bind:aria-expanded", opens);
            const panel = document.querySelector(`[x-show="${opens}"], [x-bind\\:class*=": ${opens}}"]`);
            if (panel) {
                followKeyboard(button, panel);
            }
        }
    }
});

function followKeyboard(button, panel) {
    button.addEventListener("click", event => {
        // a click of the mouse counts, one of the keyboard does not
        if (event.detail === 0) {
            Alpine.nextTick(() => requestAnimationFrame(() => {
                if (button.ariaExpanded === "true") {
                    panel.querySelector(":is(a[href], button, input, select, [role=button]):not([type=hidden])")?.focus();
                }
            }));
        }
    });
    panel.addEventListener("keydown", event => {
        if (event.key === "Escape") {
            if (button.ariaExpanded === "true") {
                button.click();
            }
            // it cannot be reached as long as the panel covers it
            Alpine.nextTick(() => requestAnimationFrame(() => button.focus()));
        }
    });
}

// what filters cover in narrow windows is out of reach until they are closed; the lists of their boxes are outside of the page
function closeOffBelow(sheet) {
    const covers = sheet.style.display !== "none" && getComputedStyle(sheet).position === "fixed";
    for (let part = sheet; part && part.id !== "page"; part = part.parentElement) {
        for (const beside of part.parentElement?.children ?? []) {
            beside.inert = covers && beside !== part;
        }
    }
}

// whether an element has icons and no text
function isIcon(element) {
    const icons = element.matches(".material-symbols-outlined") ? [element] : element.querySelectorAll(".material-symbols-outlined");
    return element.textContent.replace(/\s/g, "") === [...icons].map(icon => icon.textContent.trim()).join("");
}

// unfold draws icons by ligatures: words that a screen reader would say before the name of each link
function nameIcons() {
    const names = document.getElementById("page")?.dataset ?? {};
    for (const icon of document.querySelectorAll(".material-symbols-outlined")) {
        const word = icon.textContent.trim();
        const button = icon.closest("a, button, [role=button]");
        if (button && !button.title && isIcon(button)) {
            button.ariaLabel ??= names[word] ?? null;
        }
        const named = icon.closest("[title], [aria-label]") ?? button;
        if (named !== icon && (named?.title || named?.ariaLabel || named?.textContent.trim() !== word)) {
            icon.ariaHidden = "true";
        }
        if (icon.parentElement.matches("div[title]")) {
            icon.parentElement.role = "img";
        }
    }
}

document.addEventListener("htmx:afterSwap", nameIcons);
document.addEventListener("DOMContentLoaded", () => {
    nameIcons();
    const sheet = document.getElementById("changelist-filter");
    if (sheet) {
        new MutationObserver(() => closeOffBelow(sheet)).observe(sheet, {attributeFilter: ["style"]});
    }
    for (const link of document.querySelectorAll("#nav-sidebar .active")) {
        link.ariaCurrent = "page";
    }
});

// numbers in charts are in the language of the page; words in them have the color of those around them: none has enough
// contrast on both a light and a dark page
if (window.Chart) {
    Chart.defaults.locale = document.documentElement.lang;
    Chart.defaults.scale.ticks.color = Chart.defaults.plugins.legend.labels.color = it => getComputedStyle(it.chart.canvas).color;
}

// select2 names its boxes after what is selected: name them after the label of their field, too
addEventListener("load", () => window.django?.jQuery?.($ => {
    const label = select => select.labels[0].id ||= `${select.id}-label`;
    for (const box of document.querySelectorAll(".select2-selection__rendered")) {
        const select = box.closest(".select2-container").previousElementSibling;
        box.setAttribute("aria-labelledby", label(select));
        box.closest("[role=combobox]").setAttribute("aria-labelledby", `${label(select)} ${box.id}`);
    }
    $(document).on("select2:open", event => {
        const box = event.target.nextElementSibling.querySelector("[role=combobox]");
        box.setAttribute("aria-controls", box.getAttribute("aria-owns"));
        document.querySelector(".select2-container--open .select2-search__field").setAttribute("aria-labelledby", label(event.target));
    });
}));
