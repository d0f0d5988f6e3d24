//! kube-rs' runtime, on which controllers are built: stores that follow what is there, through cuts and gaps, and
//! waiting for what will be.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::Action;
use kube::runtime::reflector::Store;
use kube::runtime::wait::{await_condition, conditions, delete::delete_and_finalize};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, finalizer, reflector, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use whoosh::resource::kinds::{AgentTemplate, Team};

use super::kube_rs::{client, config, team, template};
use super::kubectl::Kubectl;
use super::{PATIENCE, Server, TEAMS, at};

/// A line to a door. While it is cut, connections end, old ones and new ones.
struct Line {
    address: SocketAddr,
    is_whole: watch::Sender<bool>,
}

impl Line {
    async fn to(door: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (is_whole, state) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, door, state.clone()));
            }
        });
        Self { address, is_whole }
    }

    fn cut(&self) {
        self.is_whole.send_replace(false);
    }

    fn mend(&self) {
        self.is_whole.send_replace(true);
    }
}

async fn carry(mut client: TcpStream, door: SocketAddr, mut state: watch::Receiver<bool>) {
    let cut = async { drop(state.wait_for(|is_whole| !is_whole).await) };
    let carried = async {
        if let Ok(mut server) = TcpStream::connect(door).await {
            let _ended = copy_bidirectional(&mut client, &mut server).await;
        }
    };
    tokio::select! {
        biased;
        () = cut => {}
        () = carried => {}
    }
}

/// Somebody who comes in by a line.
async fn by_line(somebody: &Kubectl) -> (Line, Client) {
    let mut config = config(somebody).await;
    let port = config.cluster_url.port_u16().unwrap();
    let line = Line::to(SocketAddr::from(([127, 0, 0, 1], port))).await;
    config.cluster_url = format!("https://localhost:{}", line.address.port())
        .parse()
        .unwrap();
    (line, Client::try_from(config).unwrap())
}

/// What a watcher of teams tells from now on, as `Apply a`; its errors are told as `error`.
fn told(teams: Api<Team>, config: watcher::Config) -> (Store<Team>, mpsc::UnboundedReceiver<String>) {
    let (store, writer) = reflector::store();
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut events = reflector(writer, watcher(teams, config))
        .default_backoff()
        .boxed();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            let told = match event {
                Ok(Event::Init) => "Init".to_owned(),
                Ok(Event::InitApply(team)) => format!("InitApply {}", team.name_any()),
                Ok(Event::InitDone) => "InitDone".to_owned(),
                Ok(Event::Apply(team)) => format!("Apply {}", team.name_any()),
                Ok(Event::Delete(team)) => format!("Delete {}", team.name_any()),
                Err(_) => "error".to_owned(),
            };
            if sender.send(told).is_err() {
                return;
            }
        }
    });
    (store, receiver)
}

/// The next `count` things that are no errors.
async fn next(events: &mut mpsc::UnboundedReceiver<String>, count: usize) -> String {
    let mut told = Vec::new();
    while told.len() < count {
        let event = timeout(PATIENCE, events.recv()).await.expect("an event in time");
        told.extend(event.filter(|event| event != "error"));
    }
    told.join(", ")
}

/// Asks for deletion and takes the finalizer off.
async fn remove(server: &Server, name: &str) {
    server.delete(&at(name)).await.ok(200);
    let released = json!({"metadata": {"finalizers": null}});
    server.patch(&at(name), &released).await.ok(200);
}

#[tokio::test]
async fn a_store_follows_what_is_there() {
    let ada = Kubectl::as_role("view").await;
    let server = &ada.server;
    for name in ["a", "b", "c"] {
        server.create(name).await;
    }
    let teams: Api<Team> = Api::default_namespaced(client(&ada).await);
    let in_parts = watcher::Config::default().page_size(2);
    let streamed = watcher::Config::default().streaming_lists();
    let mut followers = Vec::new();
    for config in [in_parts, streamed] {
        let (store, mut events) = told(teams.clone(), config);
        assert_eq!(
            next(&mut events, 5).await,
            "Init, InitApply a, InitApply b, InitApply c, InitDone"
        );
        timeout(PATIENCE, store.wait_until_ready())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(store.len(), 3);
        followers.push((store, events));
    }
    server.create("d").await;
    let elsewhere = TEAMS.replace("default", "elsewhere");
    server.post(&elsewhere, &super::team("far")).await.ok(201);
    let labels = json!({"metadata": {"labels": {"tier": "web"}}});
    server.patch(&at("b"), &labels).await.ok(200);
    remove(server, "a").await;
    for (store, mut events) in followers {
        assert_eq!(next(&mut events, 4).await, "Apply d, Apply b, Apply a, Delete a");
        let names: BTreeSet<String> = store.state().iter().map(|team| team.name_any()).collect();
        assert_eq!(names.into_iter().collect::<String>(), "bcd");
        let labelled = store.find(|team| team.labels().contains_key("tier"));
        assert_eq!(labelled.unwrap().name_any(), "b");
    }
}

#[tokio::test]
async fn a_watcher_whose_connection_is_cut_goes_on_where_it_was() {
    let ada = Kubectl::as_role("view").await;
    let server = &ada.server;
    server.create("a").await;
    let (line, client) = by_line(&ada).await;
    let (_store, mut events) = told(Api::default_namespaced(client), watcher::Config::default());
    assert_eq!(next(&mut events, 3).await, "Init, InitApply a, InitDone");
    server.create("b").await;
    assert_eq!(next(&mut events, 1).await, "Apply b");
    line.cut();
    server.create("c").await;
    remove(server, "a").await;
    line.mend();
    server.create("d").await;
    assert_eq!(next(&mut events, 4).await, "Apply c, Apply a, Delete a, Apply d");
}

#[tokio::test]
async fn a_watcher_that_was_away_for_too_long_lists_again() {
    let ada = Kubectl::as_role("view").await;
    let server = &ada.server;
    for name in ["a", "b"] {
        server.create(name).await;
    }
    let (line, client) = by_line(&ada).await;
    let (store, mut events) = told(Api::default_namespaced(client), watcher::Config::default());
    next(&mut events, 4).await;
    server.create("c").await;
    assert_eq!(next(&mut events, 1).await, "Apply c");
    line.cut();
    remove(server, "a").await;
    server.create("d").await;
    let head = server.store.revision().await.unwrap();
    server.store.compact(head).await.unwrap();
    line.mend();
    assert_eq!(
        next(&mut events, 5).await,
        "Init, InitApply b, InitApply c, InitApply d, InitDone"
    );
    assert_eq!(store.len(), 3, "what went meanwhile is gone");
    server.create("e").await;
    assert_eq!(next(&mut events, 1).await, "Apply e");
}

#[tokio::test]
async fn what_will_be_is_awaited() {
    let ada = Kubectl::as_role("admin").await;
    let client = client(&ada).await;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let established = await_condition(
        definitions,
        "teams.chorus.services",
        conditions::is_crd_established(),
    );
    timeout(PATIENCE, established).await.unwrap().unwrap();

    let teams: Api<Team> = Api::default_namespaced(client.clone());
    let is_ready = |team: Option<&Team>| {
        let status = team.and_then(|team| team.status.as_ref());
        let is_ready = |one: &Condition| one.type_ == "Ready" && one.status == "True";
        status.is_some_and(|status| status.conditions.iter().any(is_ready))
    };
    // Before it is there.
    let ready = tokio::spawn(await_condition(teams.clone(), "payments", is_ready));
    let created = teams
        .create(&PostParams::default(), &team("payments"))
        .await
        .unwrap();
    let condition = json!({
        "type": "Ready", "status": "True", "reason": "AllReady", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let status = Patch::Merge(json!({"status": {"conditions": [condition]}}));
    let patch = PatchParams::default();
    teams.patch_status("payments", &patch, &status).await.unwrap();
    let seen = timeout(PATIENCE, ready).await.unwrap().unwrap().unwrap();
    assert_eq!(seen.unwrap().uid(), created.uid());

    let uid = created.uid().unwrap();
    let api = teams.clone();
    let gone =
        tokio::spawn(async move { await_condition(api, "payments", conditions::is_deleted(&uid)).await });
    remove(&ada.server, "payments").await;
    let seen = timeout(PATIENCE, gone).await.unwrap().unwrap().unwrap();
    assert!(seen.is_none());
}

#[tokio::test]
async fn a_finalizer_of_somebody_else_holds_an_object() {
    let ada = Kubectl::as_role("edit").await;
    let templates: Api<AgentTemplate> = Api::default_namespaced(client(&ada).await);
    let name = "audit.example/told";
    let mut seen = Vec::new();
    templates
        .create(&PostParams::default(), &template("reviewer"))
        .await
        .unwrap();
    // To take hold of it, to see it, and to let it go.
    for turn in 0..3 {
        if turn == 2 {
            let held = templates
                .delete("reviewer", &DeleteParams::default())
                .await
                .unwrap();
            assert!(held.is_left());
        }
        let template = Arc::new(templates.get("reviewer").await.unwrap());
        let reconcile = |event: finalizer::Event<AgentTemplate>| {
            seen.push(match event {
                finalizer::Event::Apply(_) => "apply",
                finalizer::Event::Cleanup(_) => "cleanup",
            });
            async { Ok::<Action, Infallible>(Action::await_change()) }
        };
        finalizer(&templates, name, template, reconcile).await.unwrap();
    }
    assert_eq!(seen, ["apply", "cleanup"]);
    assert!(templates.get_opt("reviewer").await.unwrap().is_none());

    templates
        .create(&PostParams::default(), &template("reviewer"))
        .await
        .unwrap();
    let delete = DeleteParams::default();
    let deleted = delete_and_finalize(templates, "reviewer", &delete);
    timeout(PATIENCE, deleted).await.unwrap().unwrap();
}
