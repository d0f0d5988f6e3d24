//! One at a time: who starts or stops what is below a home has it alone until then.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use tokio::time::sleep;

use super::{DevError, Home};

/// How often a home that somebody else has is asked for again.
const RETRY: Duration = Duration::from_millis(50);

/// The right to start and stop what is below a home, for as long as it lives.
pub struct Turn {
    home: Home,
    _lock: File,
}

impl Turn {
    /// Makes what is missing below `home`, and waits for its turn there; `waiting` is called when others have it.
    ///
    /// # Errors
    /// [`DevError`] when the home cannot be made or locked.
    pub async fn to_start(home: &Home, waiting: impl Fn()) -> Result<Self, DevError> {
        loop {
            home.create()?;
            // A `down` that had its turn before removes what was made.
            if let Some(turn) = Self::take(home, &waiting).await? {
                return Ok(turn);
            }
        }
    }

    /// Waits for its turn at what `up` made; `None` when nothing is there, or nothing any more.
    ///
    /// # Errors
    /// [`DevError`] when the home cannot be locked.
    pub async fn to_stop(home: &Home, waiting: impl Fn()) -> Result<Option<Self>, DevError> {
        while home.exists() {
            if let Some(turn) = Self::take(home, &waiting).await? {
                return Ok(Some(turn));
            }
        }
        Ok(None)
    }

    /// The home that it is about.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// `None` when what was locked is not the home that is there now.
    async fn take(home: &Home, waiting: impl Fn()) -> Result<Option<Self>, DevError> {
        let folder = match File::open(home.root()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(DevError::file("open", home.root()))?,
        };
        let mut told = false;
        loop {
            match folder.try_lock() {
                Ok(()) => break,
                Err(fs::TryLockError::Error(source)) => {
                    return Err(DevError::file("lock", home.root())(source));
                }
                Err(fs::TryLockError::WouldBlock) => {
                    if !std::mem::replace(&mut told, true) {
                        waiting();
                    }
                    sleep(RETRY).await;
                }
            }
        }
        let turn = is_at(&folder, home) && home.exists();
        Ok(turn.then(|| Self {
            home: home.clone(),
            _lock: folder,
        }))
    }
}

fn is_at(folder: &File, home: &Home) -> bool {
    let identity = |data: fs::Metadata| (data.dev(), data.ino());
    match (folder.metadata(), fs::metadata(home.root())) {
        (Ok(locked), Ok(there)) => identity(locked) == identity(there),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn the_second_waits_until_the_first_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("home"));
        let first = Turn::to_start(&home, || {}).await.unwrap();
        let told = Cell::new(0);
        let second = Turn::to_stop(&home, || told.set(told.get() + 1));
        tokio::pin!(second);
        let early = tokio::time::timeout(RETRY * 4, &mut second).await;
        assert!(early.is_err(), "both have their turn");
        drop(first);
        assert!(second.await.unwrap().is_some());
        assert_eq!(told.get(), 1);
    }

    #[tokio::test]
    async fn what_went_before_its_turn_came_is_not_stopped_again() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("home"));
        assert!(Turn::to_stop(&home, || {}).await.unwrap().is_none());
        let first = Turn::to_start(&home, || {}).await.unwrap();
        let second = Turn::to_stop(&home, || {});
        tokio::pin!(second);
        assert!(futures::poll!(&mut second).is_pending());
        first.home().remove().unwrap();
        drop(first);
        assert!(second.await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_home_that_was_made_anew_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("home"));
        let old = Turn::to_start(&home, || {}).await.unwrap();
        let waiting = Turn::to_stop(&home, || {});
        tokio::pin!(waiting);
        assert!(futures::poll!(&mut waiting).is_pending());
        old.home().remove().unwrap();
        let new = Turn::to_start(&home, || {}).await.unwrap();
        drop(old);
        let early = tokio::time::timeout(RETRY * 4, &mut waiting).await;
        assert!(early.is_err(), "both have their turn");
        drop(new);
        assert!(waiting.await.unwrap().is_some());
    }
}
