//! Commands whose requests are answered by another instance of the service each time.

use taskhold_testkit::proxy::FaultProxy;

use super::Computer;
use crate::replica::Setup;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_commands_see_a_change_that_a_replica_lacks() {
    let setup = Setup::start().await;
    let another = setup.another_instance().await;
    let balancer = FaultProxy::start(&another.url).await;
    let computer = Computer::new();
    computer.log_in(&balancer.url(&another.url), "anna", "default");
    let milk = computer.add("Buy milk");
    computer.done(&["list"]);

    setup.replica.pause_replay().await;
    computer.done(&["complete", &milk]);
    balancer.lead_to(&setup.service.url).await;
    let stale = setup.reads("stale").await;
    assert_eq!(computer.done(&["list"]), format!("[X] {milk}: Buy milk\n"));
    assert!(setup.reads("stale").await > stale, "the replica was asked");
}
