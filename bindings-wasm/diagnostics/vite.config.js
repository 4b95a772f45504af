import { defineConfig } from "vite";

export default defineConfig({
  // Any folder of any file server.
  base: "./",
  worker: { format: "es" },
  build: {
    target: "es2023",
    modulePreload: false,
    // A `data:` address would need a hole in the content security policy.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
  },
});
