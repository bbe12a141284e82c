// Runs a program for WebAssembly that needs no system. A panic in it is a trap, and an error here.
const bytes = require("fs").readFileSync(process.argv[2]);
const module_ = new WebAssembly.Module(bytes);
const imports = WebAssembly.Module.imports(module_);
if (imports.length > 0) throw new Error("it wants " + JSON.stringify(imports));
const code = new WebAssembly.Instance(module_).exports.main(0, 0);
if (code !== 0) throw new Error("main returned " + code);
console.log("1 passed, 0 failed");
