// Shows /openapi.json. An API key is asked for if the server wants one, and kept for this tab only.

const KEY = "llama-slots-api-key";
const base = new URL(".", location.href).pathname.replace(/\/$/, "");
const form = document.getElementById("ask-key");

function authorization() {
  const key = sessionStorage.getItem(KEY);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

async function start() {
  const response = await fetch(`${base}/openapi.json`, { headers: authorization() });
  form.hidden = response.status !== 401;
  if (response.status === 401) {
    document.getElementById("refusal").textContent = sessionStorage.getItem(KEY) ? "This is not a key of the server." : "";
    document.getElementById("key").focus();
    return;
  }
  const spec = await response.json();
  window.SwaggerUIBundle({
    spec: { ...spec, servers: [{ url: base || "/" }] },
    dom_id: "#swagger-ui",
    deepLinking: true,
    docExpansion: "none",
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
    requestInterceptor: (request) => {
      Object.assign(request.headers, authorization());
      return request;
    },
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, document.getElementById("key").value);
  start();
});

start();
