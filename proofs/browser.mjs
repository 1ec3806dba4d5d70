// Runs proofs/browser_apps.py in the Python of a browser (Pyodide), and prints what it finds.
// Arguments: the project's folder, the folder of installed packages.
import { loadPyodide } from "pyodide";

const [project, packages] = process.argv.slice(2);
const python = await loadPyodide();
for (const [path, root] of [["/project", project], ["/packages", packages]]) {
  python.FS.mkdir(path);
  python.FS.mount(python.FS.filesystems.NODEFS, { root }, path);
}
await python.runPythonAsync(`
import json, platform, sys, threading
sys.path.insert(0, "/project")
sys.path.append("/packages")
from proofs.browser_apps import digests
found = await digests()
print(json.dumps({"python": f"{platform.python_version()} {sys.platform}", "found": found}))
`);
