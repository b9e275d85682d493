SwaggerUIBundle({
  // Relative to this script, so that it is found under any base path.
  url: new URL("../openapi.json", document.currentScript.src).href,
  dom_id: "#document",
  deepLinking: true,
  // It would ask a server elsewhere.
  validatorUrl: null,
});
