//! Where the boxes of a graph stand and how its edges run.
//!
//! Layers from top to bottom: every edge leads down through the gaps between layers. An edge that crosses a layer, and an answer that
//! is written on one, has a place of its own in that layer, so that nothing lies on anything else. No crate of those looked at gives the
//! routes of edges with room for their labels; docs/design/dependencies.md has the comparison.

mod layers;
mod order;
mod pack;
mod place;
mod route;

pub(super) use pack::stacked;

/// A width and a height.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Size {
    pub(super) w: f64,
    pub(super) h: f64,
}

/// A box to be laid out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Boxed {
    pub(super) size: Size,
    /// The room that is kept free at each of its sides.
    pub(super) room: f64,
}

/// A point of the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

/// An edge to be laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) from: usize,
    pub(super) to: usize,
    /// The size of the answer that is written on it.
    pub(super) label: Option<Size>,
}

/// How an edge runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Route {
    /// From where it begins to where it ends. Between two points it is straight down or up, or an even curve from one to the other.
    pub(super) points: Vec<Point>,
    /// The upper left corner of its answer.
    pub(super) label: Option<Point>,
}

/// Where everything is.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub(super) size: Size,
    /// The upper left corners of the boxes.
    pub(super) boxes: Vec<Point>,
    pub(super) routes: Vec<Route>,
}

/// The space between two boxes of a layer.
const GAP: f64 = 22.0;
/// The space between a line that passes and what is beside it.
const LINE_GAP: f64 = 13.0;
/// How wide a set of parts that do not hang together may become before the next one stands below.
const WIDE: f64 = 1000.0;
/// The most bends of all edges together: beyond that a picture can no longer be read, let alone drawn.
const MOST_BENDS: usize = 60_000;

/// Lays out boxes and links between different ones. None if it would take too long.
pub(super) fn layered(boxes: &[Boxed], links: &[Link]) -> Option<Layout> {
    let parts = pack::components(boxes.len(), links);
    let mut laid = Vec::with_capacity(parts.len());
    for part in &parts {
        let mut place = vec![usize::MAX; boxes.len()];
        part.boxes.iter().enumerate().for_each(|(new, old)| place[*old] = new);
        let own: Vec<Boxed> = part.boxes.iter().map(|b| boxes[*b]).collect();
        let inner: Vec<Link> =
            part.links.iter().map(|l| Link { from: place[links[*l].from], to: place[links[*l].to], ..links[*l] }).collect();
        laid.push(connected(&own, &inner)?);
    }
    Some(pack::side_by_side(boxes.len(), links.len(), &parts, laid))
}

/// Lays out boxes that hang together.
fn connected(boxes: &[Boxed], links: &[Link]) -> Option<Layout> {
    let mut grid = layers::Grid::new(boxes, links)?;
    order::untangle(&mut grid);
    place::assign(&mut grid);
    Some(route::routes(&grid, boxes, links))
}
