//! The nine services a process can play.

/// A service that this crate stands in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Orchestrates requests, port 7000.
    ApiGateway,
    /// Chooses the language model, port 7010.
    ModelRouter,
    /// Stores and searches memories, port 7020.
    MemoryEngine,
    /// Voice sessions over WebSocket, port 7030.
    Pipecat,
    /// Executes tools, port 7040.
    Openclaw,
    /// Approves tools, port 7050.
    EvaOs,
    /// Named by the seeds with a port only, 7060.
    VisionCapture,
    /// Named by the seeds with a port only, 7070.
    Perception,
    /// The external model server that model-router depends on, port 11434. It is no uvicorn and has no `/healthz`.
    Ollama,
}

impl Service {
    /// Every service, in the order of its port.
    pub const ALL: &'static [Service] = &[
        Service::ApiGateway,
        Service::ModelRouter,
        Service::MemoryEngine,
        Service::Pipecat,
        Service::Openclaw,
        Service::EvaOs,
        Service::VisionCapture,
        Service::Perception,
        Service::Ollama,
    ];

    /// The name used in directories, log files and answers, such as `api-gateway`.
    pub fn name(self) -> &'static str {
        match self {
            Service::ApiGateway => "api-gateway",
            Service::ModelRouter => "model-router",
            Service::MemoryEngine => "memory-engine",
            Service::Pipecat => "pipecat",
            Service::Openclaw => "openclaw",
            Service::EvaOs => "eva-os",
            Service::VisionCapture => "vision-capture",
            Service::Perception => "perception",
            Service::Ollama => "ollama",
        }
    }

    /// The key used in `sonia-config.json` and in `/v1/deps`, such as `api_gateway`.
    pub fn key(self) -> String {
        self.name().replace('-', "_")
    }

    /// The port the seeds give the service.
    pub fn port(self) -> u16 {
        match self {
            Service::ApiGateway => 7000,
            Service::ModelRouter => 7010,
            Service::MemoryEngine => 7020,
            Service::Pipecat => 7030,
            Service::Openclaw => 7040,
            Service::EvaOs => 7050,
            Service::VisionCapture => 7060,
            Service::Perception => 7070,
            Service::Ollama => 11434,
        }
    }

    /// The service of that hyphenated name, if there is one.
    pub fn named(name: &str) -> Option<Service> {
        Service::ALL.iter().copied().find(|service| service.name() == name)
    }
}
