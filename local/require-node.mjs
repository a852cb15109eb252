// Loaded first, by any version of Node.js: therefore plain JavaScript without recent features.
const REQUIRED = 24;

if (Number(process.versions.node.split('.')[0]) < REQUIRED) {
  console.error(
    `Tidemark needs Node.js ${REQUIRED} or newer, and this is ${process.version}: npm has not installed the version of ` +
      'this project, because the install script of the package "node" did not run. Run "npm ci --allow-scripts=node,esbuild", ' +
      `or put a Node.js ${REQUIRED} on your PATH.`,
  );
  process.exit(1);
}
