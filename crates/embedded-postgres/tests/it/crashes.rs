//! Recovery after a kill: of a holder, the server, the watchdog, or the process that creates the data.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    process::Command,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};

use super::support::{
    Holder, NAME, Scratch, ask, ask_ps, assert_responds, connect, connect_patiently, group_of,
    is_alive, run, start, until,
};

#[tokio::test]
async fn a_killed_process_leaves_no_server_behind() {
    let scratch = Scratch::new();
    let holder = Holder::start(&scratch.folder());
    let client = connect(&holder.url).await;
    run(&client, "CREATE TABLE kept AS SELECT 1 AS number").await;
    let pid = scratch.server();
    holder.kill();
    until("the server has stopped", || !is_alive(pid));
    until("the watchdog has stopped", || !scratch.has_watchdog());

    let embedded = start(&scratch.folder()).await;
    let client = connect(&embedded.url()).await;
    assert_eq!(ask(&client, "SELECT number FROM kept").await, "1");
    embedded.stop().await;
}

#[tokio::test]
async fn a_killed_server_is_restarted() {
    let scratch = Scratch::new();
    let embedded = start(&scratch.folder()).await;
    let holder = Holder::start(&scratch.folder());
    let client = connect(&embedded.url()).await;
    run(&client, "CREATE TABLE kept AS SELECT 1 AS number").await;
    for _ in 0..2 {
        let pid = scratch.server();
        kill(pid, Signal::SIGKILL).expect("it is there");
        let client = connect_patiently(&embedded.url()).await;
        assert_ne!(scratch.server(), pid);
        assert_eq!(ask(&client, "SELECT number FROM kept").await, "1");
    }
    // The watchdog still counts both holders.
    let pid = scratch.server();
    embedded.stop().await;
    assert!(is_alive(pid));
    holder.leave();
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_server_without_its_watchdog_is_replaced() {
    let scratch = Scratch::new();
    let embedded = start(&scratch.folder()).await;
    let pid = scratch.server();
    let parent = ask_ps("ppid=", pid);
    for shell in group_of(&parent)
        .into_iter()
        .filter(|member| *member != pid)
    {
        kill(shell, Signal::SIGKILL).expect("it is there");
    }
    until("there is another server", || {
        !is_alive(pid) && scratch.try_server().is_some_and(|new| new != pid)
    });
    let client = connect_patiently(&embedded.url()).await;
    assert_eq!(ask(&client, "SELECT 1").await, "1");
    embedded.stop().await;
    assert_eq!(scratch.try_server(), None);
}

#[tokio::test]
async fn incomplete_data_of_a_crash_in_initdb_is_replaced() {
    let scratch = Scratch::new();
    let mut holder = Holder::spawn(&scratch.folder());
    let half_made = scratch.folder().join("data.new/base");
    until("initdb is at work", || half_made.exists());
    holder.kill().expect("it is our child");
    holder.wait().expect("it is our child");
    assert!(!scratch.folder().join("data").exists());

    let embedded = start(&scratch.folder()).await;
    assert_responds(&embedded.url()).await;
    assert!(!scratch.folder().join("data.new").exists());
    embedded.stop().await;
}

#[tokio::test]
async fn a_missing_role_or_database_is_created() {
    let scratch = Scratch::new();
    let embedded = start(&scratch.folder()).await;
    let superuser = connect(&embedded.superuser_url("postgres")).await;
    run(&superuser, &format!("DROP DATABASE {NAME}")).await;
    drop(superuser);
    embedded.stop().await;
    for and_the_role in [false, true] {
        let embedded = start(&scratch.folder()).await;
        assert_responds(&embedded.url()).await;
        if !and_the_role {
            let superuser = connect(&embedded.superuser_url("postgres")).await;
            run(&superuser, &format!("DROP DATABASE {NAME} WITH (FORCE)")).await;
            run(&superuser, &format!("DROP ROLE {NAME}")).await;
        }
        embedded.stop().await;
    }
}

#[tokio::test]
async fn a_pid_file_with_the_number_of_another_process_does_not_prevent_a_start() {
    let scratch = Scratch::new();
    start(&scratch.folder()).await.stop().await;
    let owner = fs::metadata(scratch.folder().join("data")).expect("there is data");
    let mut sleep = Command::new("sleep");
    sleep.arg("600");
    if geteuid().is_root() {
        // PostgreSQL itself ignores processes of other users.
        sleep.uid(owner.uid()).gid(owner.gid());
    }
    let mut sleep = sleep.spawn().expect("sleep can be run");
    let other = Scratch::new();
    let other_server = start(&other.folder()).await;

    let sleeping = Pid::from_raw(i32::try_from(sleep.id()).expect("a pid"));
    for other_process in [sleeping, other.server()] {
        for file in ["data/postmaster.pid", "socket/.s.PGSQL.5432.lock"] {
            let file = scratch.folder().join(file);
            fs::write(&file, format!("{other_process}\n")).expect("it can be written");
            chown(&file, Some(owner.uid()), Some(owner.gid())).expect("it is ours");
        }
        let embedded = start(&scratch.folder()).await;
        assert_responds(&embedded.url()).await;
        embedded.stop().await;
        assert!(is_alive(other_process));
    }
    sleep.kill().expect("it is our child");
    sleep.wait().expect("it is our child");
    other_server.stop().await;
}
