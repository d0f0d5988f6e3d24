//! The planner's tests: worlds are built in a few words, brought about by a model of the engine, then
//! disturbed.

mod agents;
mod events;
mod health;
mod model;
mod moments;
mod needs;
mod pace;
mod planner;
mod properties;
mod status;
mod story;
mod teardown;
mod world;
