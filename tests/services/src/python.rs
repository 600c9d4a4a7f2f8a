//! Python tracebacks, as a crashed or failing service leaves them on its standard error.

use crate::options::Options;

/// A crash while the module is imported: what uvicorn leaves behind when `main:app` cannot be loaded.
pub(crate) fn at_import(options: &Options, exception: &str) -> String {
    let main = main_file(options);
    // The line of source that goes with the exception, so that the traceback reads as a real one.
    let source = match exception.split_once("No module named ") {
        Some((_, module)) => format!("import {}", module.trim_matches(['\'', '"'])),
        None => "app = create_app()".to_owned(),
    };
    format!(
        "Traceback (most recent call last):\n\
         \x20 File \"<frozen runpy>\", line 198, in _run_module_as_main\n\
         \x20 File \"<frozen runpy>\", line 88, in _run_code\n\
         \x20 File \"/usr/lib/python3/dist-packages/uvicorn/__main__.py\", line 4, in <module>\n\
         \x20   uvicorn.main()\n\
         \x20 File \"/usr/lib/python3/dist-packages/uvicorn/importer.py\", line 19, in import_from_string\n\
         \x20   module = importlib.import_module(module_str)\n\
         \x20 File \"{main}\", line 3, in <module>\n\
         \x20   {source}\n\
         {exception}"
    )
}

/// A crash of the running process.
pub(crate) fn at_run(options: &Options, exception: &str) -> String {
    let main = main_file(options);
    format!(
        "Traceback (most recent call last):\n\
         \x20 File \"/usr/lib/python3/dist-packages/uvicorn/server.py\", line 71, in serve\n\
         \x20   await self.main_loop()\n\
         \x20 File \"{main}\", line 118, in background\n\
         \x20   raise fatal\n\
         {exception}"
    )
}

/// An exception in one request: the request is answered with 500 and the process lives on.
pub(crate) fn in_request(options: &Options, handler: &str, exception: &str) -> String {
    let main = main_file(options);
    format!(
        "ERROR:    Exception in ASGI application\n\
         Traceback (most recent call last):\n\
         \x20 File \"/usr/lib/python3/dist-packages/uvicorn/protocols/http/httptools_impl.py\", line 409, in run_asgi\n\
         \x20   result = await app(self.scope, self.receive, self.send)\n\
         \x20 File \"{main}\", line 42, in {handler}\n\
         \x20   return await service.{handler}()\n\
         {exception}"
    )
}

fn main_file(options: &Options) -> String {
    options.root.join("services").join(options.service.name()).join("main.py").display().to_string()
}
