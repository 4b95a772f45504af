import { defineConfig } from "vite";

export default defineConfig({
  // The page may lie in any folder of any file server.
  base: "./",
  worker: { format: "es" },
  build: {
    target: "es2023",
    modulePreload: false,
    // The content security policy forbids `data:` addresses.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
  },
});
