//! `--reload`: the parent does not own the socket.

use crate::support::{Root, Service, free_port, is_open, kill};

/// Starts a service under its reloader and returns it with the process number of the real server.
fn start(root: &Root) -> (Service, String) {
    let mut service = Service::spawn("eva-os", &root.0, free_port(), &["--reload"]);
    service.wait_for("Uvicorn running on");
    service.wait_for("Started reloader process");
    let line = service.wait_for("Started server process");
    let child = line.trim().trim_end_matches(']').rsplit('[').next().expect("a number").to_owned();
    service.wait_for("Application startup complete.");
    while !is_open(service.port) {}
    (service, child)
}

#[test]
fn killing_the_parent_leaves_the_port_held() {
    let root = Root::new();
    let (mut service, child) = start(&root);
    assert_ne!(child, service.child.id().to_string());
    service.child.kill().expect("a killed parent");
    service.child.wait().expect("an ended parent");
    assert_eq!(service.get("/healthz").0, 200, "the child owns the socket");
    kill("KILL", &child);
    while is_open(service.port) {}
}

#[test]
fn signalling_the_group_ends_both() {
    let root = Root::new();
    let (mut service, _) = start(&root);
    service.signal_group("TERM");
    // Standard error ends only when both have closed it.
    assert_eq!(service.end(), None, "the parent dies of the signal");
    assert!(service.errors.contains("Finished server process"), "{}", service.errors);
    assert!(!is_open(service.port));
}
