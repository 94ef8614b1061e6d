//! Executes queries and mutations: a query by its plan if it has one, and everything else by the library. Decides with
//! [`Replica::attempt`] where a query reads items.

use std::{any::Any, panic::AssertUnwindSafe};

use async_graphql::Response;
use futures_util::FutureExt;
use uuid::Uuid;

use super::{
    Admitted, Api, Caller, Executed, Services, error,
    loaders::Loaders,
    plan::{self, Plan},
    whole::WholeFields,
};
use crate::{
    db::replica::{Attempt, Replica},
    error::Error,
    telemetry::panics,
};

impl Api {
    /// Executes an admitted request for its caller, with the caller's share of the database. A query reads items from the replica if it
    /// may, and runs again on the primary if that fails. Every error in the response has a code. Internal errors are logged with the
    /// request's id.
    pub async fn execute(&self, admitted: Admitted, caller: Caller, request_id: &str) -> Executed {
        let from_replica = match self.replica_for(&admitted, &caller) {
            Some((replica, services, user)) => {
                let execute = async {
                    let executed = self.execute_with(services, &admitted, &caller).await;
                    match error::is_of_service(&executed.response) {
                        true => Attempt::Failed,
                        false => Attempt::Done(executed),
                    }
                };
                Box::pin(replica.attempt(user, execute)).await
            }
            None => None,
        };
        let mut executed = match from_replica {
            Some(executed) => executed,
            None => {
                let services = &self.inner.services;
                self.execute_with(services, &admitted, &caller).await
            }
        };
        error::finish(&mut executed.response, request_id);
        executed
    }

    /// Executes a request by its plan. Returns the JSON of the response, which has no errors. `None` if the request must be executed
    /// by [`Api::execute`].
    pub async fn execute_plan(&self, admitted: &Admitted, caller: &Caller) -> Option<Vec<u8>> {
        if self.inner.plans != plan::Mode::On {
            return None;
        }
        let plan = admitted.plan()?;
        let from_replica = match self.replica_for(admitted, caller) {
            Some((replica, services, user)) => {
                let planned = self.planned(services, &plan, admitted, caller);
                let planned = async { Attempt::Done(planned.await) };
                Box::pin(replica.attempt(user, planned)).await
            }
            None => None,
        };
        let response = match from_replica {
            Some(response) => response?,
            None => {
                let services = &self.inner.services;
                self.planned(services, &plan, admitted, caller).await?
            }
        };
        let response = plan::ended(response, admitted.reported_cost);
        let max = self.inner.memory.max_response();
        Some(response).filter(|response| response.len() <= max)
    }

    /// The replica, the services that read items from it, and the user, if this is a query of one that may use it.
    fn replica_for(
        &self,
        admitted: &Admitted,
        caller: &Caller,
    ) -> Option<(&Replica, &Services, Uuid)> {
        let services = self.inner.replica_services.as_ref()?;
        let replica = services.database.replica()?;
        let user = caller.user()?.user_id.0;
        admitted
            .may_use_replica()
            .then_some((replica, services, user))
    }

    /// What a request's plan writes ([`Plan::run`](plan::Plan::run)).
    async fn planned(
        &self,
        services: &Services,
        plan: &Plan,
        admitted: &Admitted,
        caller: &Caller,
    ) -> Option<Vec<u8>> {
        let (reads, database) = (&services.reads, &services.database);
        let (viewer, variables) = (caller.user()?, &admitted.admitted.variables);
        let max_response = self.inner.memory.max_response();
        let run = plan.run(reads, database, viewer, variables, max_response);
        database.for_holder(caller.holder(), run).await
    }

    /// Executes a request without finishing the errors of its response.
    async fn execute_with(
        &self,
        services: &Services,
        admitted: &Admitted,
        caller: &Caller,
    ) -> Executed {
        let executed = || self.execute_by_library(services, admitted, caller.clone());
        if self.inner.plans != plan::Mode::Verify {
            return executed().await;
        }
        let plan = &admitted.plan();
        let planned = || async move {
            let plan = plan.as_ref()?;
            self.planned(services, plan, admitted, caller).await
        };
        plan::verify(planned, executed).await
    }

    async fn execute_by_library(
        &self,
        services: &Services,
        admitted: &Admitted,
        caller: Caller,
    ) -> Executed {
        let (database, holder) = (&services.database, caller.holder());
        let budget = self.inner.memory.budget(holder.clone());
        let loaders = Loaders::new(services.clone(), caller.clone(), budget.clone());
        let whole = WholeFields::default();
        let request = admitted.admitted.request();
        let request = request.data(services.clone()).data(caller).data(loaders);
        let request = request.data(whole.clone()).data(budget.clone());
        let execution = catch_panic(self.inner.schema.execute(request));
        let mut response = database.for_holder(holder, execution).await;
        whole.enforce(&mut response);
        Executed {
            response,
            budget: Some(budget),
        }
    }
}

/// Turns the panic of a resolver into an internal error.
async fn catch_panic(execution: impl Future<Output = Response>) -> Response {
    let executed = AssertUnwindSafe(execution).catch_unwind().await;
    executed.unwrap_or_else(|panic| panic_response(&*panic))
}

pub(super) fn panic_response(panic: &(dyn Any + Send)) -> Response {
    let message = panics::message(panic);
    error::error_response(Error::internal(format!("a resolver panicked: {message}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_response_to_a_panic_does_not_reveal_its_message() {
        let resolver = async {
            if true {
                panic!("the secret of {}", "the owner");
            }
            Response::default()
        };
        let mut response = catch_panic(resolver).await;
        error::finish(&mut response, "the-id");
        let response = serde_json::to_value(&response).expect("a response is JSON");
        assert_eq!(response["errors"][0]["extensions"]["code"], "INTERNAL");
        assert_eq!(response["errors"][0]["extensions"]["requestId"], "the-id");
        assert!(!response.to_string().contains("secret"), "{response}");
    }
}
