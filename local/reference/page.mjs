/* global SwaggerUIBundle */

// The package has a dark theme under this class, and does not follow the system's preference by itself.
const prefersDark = window.matchMedia('(prefers-color-scheme: dark)');
const followPreference = () => document.documentElement.classList.toggle('dark-mode', prefersDark.matches);
prefersDark.addEventListener('change', followPreference);
followPreference();

SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  // Otherwise a badge sends the document to a validator on the web.
  validatorUrl: null,
});
