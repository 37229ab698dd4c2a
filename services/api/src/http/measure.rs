//! Counts every request that goes through the router, by the route that it took.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::App;

/// To be the outermost layer, so that what the others answer is counted, too.
pub(crate) async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let began = app.clock.boot_time();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map(MatchedPath::as_str);
    let operation = app.measures.operation(request.method(), route);
    let response = next.run(request).await;
    let took = app.clock.boot_time().saturating_sub(began);
    app.measures.answered(operation, response.status(), took);
    response
}
