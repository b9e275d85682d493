//! Commands whose requests go to another instance of the service than those of the command before.

use taskhold_testkit::proxy::FaultProxy;

use super::Computer;
use crate::replica::Setup;
use crate::service::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_commands_see_a_change_that_a_replica_lacks() {
    let setup = Setup::start().await;
    let another = setup.another_instance().await;
    let balancer = FaultProxy::start(&another.url).await;
    let computer = Computer::new();
    computer.log_in(&balancer.url(&another.url), "anna", "default");
    let milk = computer.add("Buy milk");
    computer.done(&["list"]);

    // It has the task, and answers.
    let anna = setup.service.client("anna");
    let answered = setup.reads("answered").await;
    eventually("the replica answers", async || {
        assert_eq!(anna.tasks().await.len(), 1);
        (setup.reads("answered").await > answered).then_some(())
    })
    .await;
    setup.replica.pause_replay().await;
    computer.done(&["complete", &milk]);
    balancer.lead_to(&setup.service.url).await;
    assert_eq!(computer.done(&["list"]), format!("[X] {milk}: Buy milk\n"));
}
