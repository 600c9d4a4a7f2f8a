//! A picture as SVG: one file without scripts, fonts or anything else from elsewhere, for light and dark pages and for paper.
//!
//! [`Picture::scene`] says where everything is; [`Picture::svg`] writes it down.

mod block;
mod draw;
mod layout;
mod measure;
mod scene;
mod style;

pub use layout::Point;
pub use measure::{Face, width};
pub use scene::{Line, Rect, Scene, Shape, Text};

/// A picture has too many nodes or edges to be laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// How many nodes it has.
    pub nodes: usize,
    /// How many edges it has.
    pub edges: usize,
}

/// Above this many nodes nobody can read a picture.
const MOST_NODES: usize = 5_000;

impl super::Picture {
    /// The picture as SVG.
    ///
    /// # Errors
    /// It has too many nodes or edges.
    pub fn svg(&self) -> Result<String, TooLarge> {
        Ok(draw::draw(self, &self.scene()?))
    }

    /// Where everything is.
    ///
    /// # Errors
    /// As [`super::Picture::svg`].
    pub fn scene(&self) -> Result<Scene, TooLarge> {
        let too_large = TooLarge { nodes: self.nodes.len(), edges: self.edges.len() };
        if self.nodes.len() > MOST_NODES {
            return Err(too_large);
        }
        scene::scene(self).ok_or(too_large)
    }
}
