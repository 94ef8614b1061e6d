//! Sharing: the server runs as long as any process holds it, in whatever order they join and leave.

use std::{fs, os::unix::process::ExitStatusExt, path::Path, thread, time::Duration};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::support::{
    Holder, NAME, Scratch, ask, assert_responds, connect, is_alive, start, until,
};

#[tokio::test]
async fn only_the_last_holder_waits_for_the_server_to_stop() {
    let scratch = Scratch::new();
    let first = start(&scratch.folder()).await;
    let second = start(&scratch.folder()).await;
    let pid = scratch.server();

    first.stop().await;
    assert_responds(&second.url()).await;
    assert_eq!(scratch.server(), pid);

    second.stop().await;
    assert!(!is_alive(pid));
    assert!(!scratch.folder().join("data/postmaster.pid").exists());
}

#[tokio::test]
async fn processes_share_a_server_and_can_leave_in_any_order() {
    let scratch = Scratch::new();
    for first_leaves_first in [true, false] {
        let first = Holder::start(&scratch.folder());
        let second = Holder::start(&scratch.folder());
        assert_eq!(first.url, second.url);
        let (leaves, stays) = match first_leaves_first {
            true => (first, second),
            false => (second, first),
        };
        let pid = scratch.server();
        leaves.leave();
        assert_responds(&stays.url).await;
        assert_eq!(scratch.server(), pid);
        stays.leave();
        assert!(!is_alive(pid));
    }
}

#[tokio::test]
async fn many_processes_can_create_the_same_folder_at_the_same_time() {
    let scratch = Scratch::new();
    let folder = scratch.folder();
    let threads: Vec<_> = (0..5)
        .map(|_| {
            let folder = folder.clone();
            thread::spawn(move || Holder::start(&folder))
        })
        .collect();
    let holders: Vec<Holder> = threads
        .into_iter()
        .map(|thread| thread.join().expect("it starts"))
        .collect();
    let pid = scratch.server();
    for holder in &holders {
        assert_responds(&holder.url).await;
    }
    for holder in holders {
        holder.kill();
    }
    until("the server has stopped", || !is_alive(pid));
}

#[tokio::test]
async fn a_process_that_joins_while_the_last_holder_leaves_gets_a_server_that_stays() {
    let scratch = Scratch::new();
    let mut embedded = start(&scratch.folder()).await;
    for round in 0..30 {
        let (leaving, folder) = (embedded, scratch.folder());
        let joining = tokio::spawn(async move {
            // The delays range from before the watchdog notices until the server is half stopped.
            tokio::time::sleep(Duration::from_millis(round % 15)).await;
            start(&folder).await
        });
        match round % 2 {
            0 => drop(leaving),
            _ => leaving.stop().await,
        }
        embedded = joining.await.expect("it starts");
        let client = connect(&embedded.url()).await;
        let pid = scratch.server();
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert_eq!(ask(&client, "SELECT 1").await, "1", "round {round}");
        assert_eq!(scratch.server(), pid, "round {round}");
    }
    embedded.stop().await;
}

#[tokio::test]
async fn ctrl_c_reaches_the_process_but_not_its_server() {
    let scratch = Scratch::new();
    let stays = Holder::start(&scratch.folder());
    let mut interrupted = Holder::start(&scratch.folder());
    let pid = scratch.server();
    let mut starter = stays;
    // Either process may have started the server. Both are interrupted, one after the other.
    for holder in [&mut interrupted, &mut starter] {
        assert!(is_alive(pid));
        let group = Pid::from_raw(i32::try_from(holder.process.id()).expect("a pid"));
        killpg(group, Signal::SIGINT).expect("the group is there");
        let status = holder.process.wait().expect("it is our child");
        assert_eq!(status.signal(), Some(Signal::SIGINT as i32));
    }
    until("the server has stopped", || !is_alive(pid));
}

#[tokio::test]
async fn the_server_does_not_inherit_the_holders_files() {
    if !Path::new("/proc/self/fd").exists() {
        return;
    }
    let scratch = Scratch::new();
    let embedded = start(&scratch.folder()).await;
    let opened = fs::read_dir(format!("/proc/{}/fd", scratch.server())).expect("it can be read");
    for entry in opened.flatten() {
        let file = fs::read_link(entry.path()).unwrap_or_default();
        let marker = format!("{NAME}-postgres-throw-away");
        let ours = ["users", "lock", &marker];
        assert!(
            !ours.iter().any(|name| file == scratch.folder().join(name)),
            "{file:?}"
        );
    }
    embedded.stop().await;
}
