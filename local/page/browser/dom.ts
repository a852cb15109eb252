type Attributes = Readonly<Record<string, string | boolean | undefined>>;

/** Creates an element. An attribute that is true is set to '', one that is false or undefined is left out. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const created = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    created.setAttribute(attribute, value === true ? '' : value);
  }
  created.append(...children);
  return created;
}

/** Creates a button with a text. `act` runs when it is pressed. */
export function button(attributes: Attributes, text: string, act: () => void): HTMLButtonElement {
  const created = element('button', { type: 'button', ...attributes }, text);
  created.addEventListener('click', act);
  return created;
}

/** Creates a switch with a label. */
export function toggle(label: string, isOn: boolean, change: (isOn: boolean) => void): HTMLLabelElement {
  const input = element('input', { type: 'checkbox', role: 'switch', checked: isOn });
  input.addEventListener('change', () => change(input.checked));
  return element('label', { class: 'switch' }, input, element('span', { class: 'track' }), label);
}

/** Creates an icon of these SVG paths, in a square of 16 units. */
export function icon(...paths: readonly string[]): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('aria-hidden', 'true');
  for (const path of paths) {
    const created = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    created.setAttribute('d', path);
    svg.append(created);
  }
  return svg;
}

/** Sets the text only where it differs, because a screen reader reads out a text that is set. */
export function setText(of: Element, text: string): void {
  if (of.textContent !== text) of.textContent = text;
}
