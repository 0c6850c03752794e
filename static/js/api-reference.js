// Shows the OpenAPI document named by data-url, after vendor/swagger-ui-…/swagger-ui-bundle.js.
const place = document.getElementById("swagger-ui");

SwaggerUIBundle({
  url: place.dataset.url,
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  // No public validator: the document never leaves this server.
  validatorUrl: null,
  tryItOutEnabled: false,
});
