SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#document",
  deepLinking: true,
  // It would ask a server elsewhere.
  validatorUrl: null,
});
