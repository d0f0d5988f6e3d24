//! A plan in the words of the wire.

use crate::resource::preview::Preview;

use super::action::Plan;

/// What the plan would do, for people and machines.
pub fn preview(_plan: &Plan) -> Preview {
    Preview::default()
}
