// Does every operation with a generated client: `client URL TOKEN`.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"

	"check/taskhold"
)

const (
	email       = "go@example.org"
	password    = "a lamp by the window"
	newPassword = "two lamps by the door"
)

func main() {
	url, token := os.Args[1], os.Args[2]
	checkTasks(client(url, nil), as(token))
	checkChanges(client(url, nil), client(url, firstEvent{}), as(token))
	checkTrash(client(url, nil), as(token))
	checkAccount(client(url, nil))
	checkAgents(client(url, nil), as(token))
	checkOperating(client(url, nil))
}

func client(url string, transport http.RoundTripper) *taskhold.APIClient {
	configuration := taskhold.NewConfiguration()
	configuration.HTTPClient = &http.Client{Transport: transport}
	configuration.Servers = taskhold.ServerConfigurations{{URL: url}}
	return taskhold.NewAPIClient(configuration)
}

func as(token string) context.Context {
	return context.WithValue(context.Background(), taskhold.ContextAccessToken, token)
}

// Returns the value of a successful answer.
func ok[T any](value T, response *http.Response, err error) T {
	if err != nil {
		log.Panicf("%v: %v", response, err)
	}
	return value
}

// Ends the program unless an operation without a value succeeds with 204.
func noContent(response *http.Response, err error) {
	if err != nil || response.StatusCode != http.StatusNoContent {
		log.Panicf("%v: %v", response, err)
	}
}

// Ends the program unless the operation failed with this status; returns the typed problem.
func refused[T any](status int, response *http.Response, err error) T {
	failure, isFailure := err.(*taskhold.GenericOpenAPIError)
	if !isFailure || response.StatusCode != status {
		log.Panicf("%v: %v", response, err)
	}
	problem, isTyped := failure.Model().(T)
	require(isTyped, failure.Model())
	return problem
}

func require(condition bool, found any) {
	if !condition {
		log.Panicf("%+v", found)
	}
}

func checkTasks(client *taskhold.APIClient, ctx context.Context) {
	api := client.TasksAPI
	milk := *taskhold.NewTaskDraft("Buy milk")
	created := ok(api.CreateTask(ctx).TaskDraft(milk).IdempotencyKey("go-1").Execute()).Task
	require(created.Title == "Buy milk" && created.Description == "" && !created.Completed, created)
	_, again, err := api.CreateTask(ctx).TaskDraft(milk).IdempotencyKey("go-1").Execute()
	require(err == nil && again.Header.Get("Idempotent-Replayed") == "true", again)
	_, response, err := api.CreateTask(ctx).TaskDraft(*taskhold.NewTaskDraft("")).Execute()
	broken := refused[taskhold.BrokenRules](http.StatusUnprocessableEntity, response, err)
	require(broken.Errors[0].Field == "title", broken)

	update := taskhold.NewTaskUpdate("Buy oat milk")
	update.SetCompleted(true)
	updated := ok(api.UpdateTask(ctx, created.Id).TaskUpdate(*update).Execute()).Task
	require(updated.Title == "Buy oat milk" && updated.Completed, updated)
	patch := taskhold.NewTaskPatch()
	patch.SetDescription("2 litres")
	patched := ok(api.PatchTask(ctx, created.Id).TaskPatch(*patch).Execute()).Task
	require(patched.Title == "Buy oat milk" && patched.Description == "2 litres", patched)
	patch.SetDescriptionNil()
	cleared := ok(api.PatchTask(ctx, created.Id).TaskPatch(*patch).Execute()).Task
	require(cleared.Description == "", cleared)
	_, response, err = api.PatchTask(ctx, created.Id).TaskPatch(*patch).IfMatch(created.Etag).Execute()
	stale := refused[taskhold.Stale](http.StatusPreconditionFailed, response, err)
	require(stale.Task.Etag == cleared.Etag, stale)
	reopened := ok(api.CompleteTask(ctx, created.Id).Completion(*taskhold.NewCompletion(false)).Execute()).Task
	// Without a body, this generator's clients send `null`, which does not toggle.
	done := ok(api.CompleteTask(ctx, created.Id).Completion(*taskhold.NewCompletion(true)).Execute()).Task
	require(!reopened.Completed && done.Completed, done)

	require(ok(api.ReadTask(ctx, created.Id).Execute()).Task.Etag == done.Etag, done)
	_, response, _ = api.ReadTask(ctx, created.Id).IfNoneMatch(done.Etag).Execute()
	require(response.StatusCode == http.StatusNotModified, response)
	second := ok(api.CreateTask(ctx).TaskDraft(*taskhold.NewTaskDraft("Call mum")).Execute()).Task
	page := ok(api.ListTasks(ctx).Limit(1).Sort("-created_at").Execute())
	require(len(page.Tasks) == 1 && page.Tasks[0].Id == second.Id, page)
	rest := ok(api.ListTasks(ctx).Limit(1).Cursor(page.GetNextCursor()).Execute())
	require(len(rest.Tasks) == 1 && rest.Tasks[0].Id == created.Id && rest.NextCursor.Get() == nil, rest)
	found := ok(api.ListTasks(ctx).Q("OAT").Completed(true).Limit(10).Offset(0).Execute())
	require(len(found.Tasks) == 1, found)
	require(len(ok(api.ListTasks(ctx).Execute()).Tasks) == 2, page)
	counts := ok(api.CountTasks(ctx).Timezone("Europe/Berlin").Execute())
	require(counts.Total == 2 && counts.Completed == 1 && counts.Pending == 1 && counts.Overdue+counts.DueToday == 0, counts)
	move := taskhold.NewTaskMove()
	move.SetAfter(created.Id)
	moved := ok(api.MoveTask(ctx, second.Id).TaskMove(*move).Execute()).Task
	byPosition := ok(api.ListTasks(ctx).Sort("position").Execute()).Tasks
	require(len(byPosition) == 2 && byPosition[1].Etag == moved.Etag, byPosition)
	move.SetAfterNil()
	require(ok(api.MoveTask(ctx, second.Id).TaskMove(*move).Execute()).Task.Position < done.Position, moved)
	checkExport(api, ctx)
	checkImport(api, ctx)
	checkQuickAdd(api, ctx)

	noContent(api.DeleteTask(ctx, created.Id).Execute())
	noContent(api.DeleteTask(ctx, second.Id).Execute())
	_, response, err = api.ReadTask(ctx, created.Id).Execute()
	missing := refused[taskhold.Problem](http.StatusNotFound, response, err)
	require(missing.ErrorCode == "NOT_FOUND", missing)
}

// checkQuickAdd adds a task and deletes it.
func checkQuickAdd(api *taskhold.TasksAPIService, ctx context.Context) {
	text := taskhold.NewQuickAdd("Pay rent tomorrow #home")
	text.SetDryRun(true)
	shown := ok(api.QuickAddTask(ctx).QuickAdd(*text).Execute())
	require(shown.Task.Title == "Pay rent" && shown.Task.Due.Get() != nil, shown)
	text.SetDryRun(false)
	text.SetExcept([]string{"due"})
	added := ok(api.QuickAddTask(ctx).QuickAdd(*text).Execute())
	require(added.Task.Title == "Pay rent tomorrow" && added.Task.Due.Get() == nil, added)
	require(len(added.Understood) == 1 && added.Understood[0].Start == 18, added)
	noContent(api.DeleteTask(ctx, added.Task.Id).Execute())
}

func checkImport(api *taskhold.TasksAPIService, ctx context.Context) {
	rows := []map[string]interface{}{{"id": 1, "title": "Sow carrots"}, {"id": 2, "title": ""}}
	report := ok(api.ImportTasks(ctx).RequestBody(rows).Timezone("Europe/Berlin").DryRun(true).Execute())
	require(report.DryRun && report.Imported == 1 && report.Rejected == 1, report)
	require(report.Rejections[0].Position == 2 && report.Rejections[0].GetId() == "2", report)
}

func checkExport(api *taskhold.TasksAPIService, ctx context.Context) {
	exported := ok(api.ExportTasks(ctx).Format("console").Timezone("Europe/Berlin").Execute())
	require(len(exported) == 2 && exported[0].Title == "Buy oat milk", exported)
	// The type of the function is that of the first media type; lines are in the error.
	_, response, err := api.ExportTasks(ctx).Format("ndjson").Execute()
	lines, isUnread := err.(*taskhold.GenericOpenAPIError)
	require(isUnread && response.StatusCode == http.StatusOK, response)
	for line := range strings.Lines(string(lines.Body())) {
		var task struct{ Title string }
		require(json.Unmarshal([]byte(line), &task) == nil && task.Title != "", line)
	}
}

// Ends each answer after the first event: this generator's clients read answers to the end.
type firstEvent struct{}

func (firstEvent) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var event strings.Builder
	for reader, line := bufio.NewReader(response.Body), ""; line != "\n"; {
		if line, err = reader.ReadString('\n'); err != nil {
			return nil, err
		}
		event.WriteString(line)
	}
	response.Body = io.NopCloser(strings.NewReader(event.String()))
	return response, nil
}

// Undoes a change and follows it, by the stream too.
func checkChanges(client, streaming *taskhold.APIClient, ctx context.Context) {
	api := client.TasksAPI
	known := ok(api.ReadChanges(ctx).Execute())
	require(len(known.Changed) == 0 && !known.HasMore, known)
	created := ok(api.CreateTask(ctx).TaskDraft(*taskhold.NewTaskDraft("Water plants")).Execute()).Task
	patch := taskhold.NewTaskPatch()
	patch.SetTitle("Water roses")
	_, response, err := api.PatchTask(ctx, created.Id).TaskPatch(*patch).Execute()
	require(err == nil, err)
	seq, err := strconv.ParseInt(response.Header.Get("Change-Seq"), 10, 64)
	require(err == nil, response)
	undone := ok(api.UndoChange(ctx, seq).Execute()).Task
	require(undone.Title == "Water plants", undone)
	_, response, err = api.UndoChange(ctx, seq).Execute()
	failure, isFailure := err.(*taskhold.GenericOpenAPIError)
	require(isFailure && strings.Contains(string(failure.Body()), "UNDO_CONFLICT"), response)
	changes := ok(api.ReadChanges(ctx).Limit(10).Cursor(known.Cursor).Execute())
	require(len(changes.Changed) == 1 && len(changes.Removed) == 0 && !changes.HasMore, changes)
	require(changes.Changed[0].Etag == undone.Etag, changes)
	event := ok(streaming.TasksAPI.StreamChanges(ctx).Cursor(known.Cursor).Execute())
	require(strings.Contains(event, "event: change\ndata: {\"cursor\":\""+changes.Cursor+"\"}\n"), event)

	page := ok(api.ReadHistory(ctx, created.Id).Limit(1).Execute())
	title := page.History[0].Fields["title"]
	require(title.From == "Water roses" && title.To == "Water plants", page)
	rest := ok(api.ReadHistory(ctx, created.Id).Cursor(page.GetNextCursor()).Execute())
	require(len(rest.History) == 2 && rest.History[1].Kind == "created" && rest.NextCursor.Get() == nil, rest)
}

// Expects that the trash has three tasks.
func checkTrash(client *taskhold.APIClient, ctx context.Context) {
	api := client.TasksAPI
	task := ok(api.ListTasks(ctx).Execute()).Tasks[0]
	noContent(api.DeleteTask(ctx, task.Id).Execute())
	page := ok(api.ListTrash(ctx).Limit(1).Execute())
	require(len(page.Tasks) == 1 && page.Tasks[0].Id == task.Id, page)
	require(page.Tasks[0].DeletedAt.After(task.UpdatedAt), page)
	rest := ok(api.ListTrash(ctx).Cursor(page.GetNextCursor()).Execute())
	require(len(rest.Tasks) == 3 && rest.NextCursor.Get() == nil, rest)
	restored := ok(api.RestoreTask(ctx, task.Id).IdempotencyKey("go-2").Execute()).Task
	require(restored.Title == task.Title, restored)
	noContent(api.DeleteTask(ctx, task.Id).Execute())
	noContent(api.PurgeTask(ctx, task.Id).Execute())
	noContent(api.EmptyTrash(ctx).Execute())
	require(len(ok(api.ListTrash(ctx).Execute()).Tasks) == 0, "trash")
}

func checkAccount(client *taskhold.APIClient) {
	api, anonymous := client.AccountsAPI, context.Background()
	registration := taskhold.NewRegistration(email, password)
	registration.SetName("Ben")
	user := ok(api.Register(anonymous).Registration(*registration).Execute()).User
	require(user.GetEmail() == email && user.GetName() == "Ben", user)
	login := ok(api.LogIn(anonymous).Credentials(*taskhold.NewCredentials(email, password)).Execute())
	_, response, err := api.LogIn(anonymous).Credentials(*taskhold.NewCredentials(email, "wrong")).Execute()
	refused[taskhold.Problem](http.StatusUnauthorized, response, err)
	require(ok(api.ReadAccount(as(login.AccessToken)).Execute()).User.Id == user.Id, user)

	sessions := ok(api.ListSessions(as(login.AccessToken)).Execute()).Sessions
	require(len(sessions) == 2, sessions)
	noContent(api.EndSession(as(login.AccessToken), sessions[1].Id).Execute())
	login = ok(api.Refresh(anonymous).RefreshToken(*taskhold.NewRefreshToken(login.GetRefreshToken())).Execute())
	draft := *taskhold.NewTokenDraft("laptop", []taskhold.Scope{taskhold.Scope("tasks:read")})
	draft.SetExpiresInDays(30)
	issued := ok(api.IssueToken(as(login.AccessToken)).TokenDraft(draft).Execute())
	require(ok(api.ReadAccount(as(issued.Token)).Execute()).User.Id == user.Id, user)
	response, err = client.TasksAPI.EmptyTrash(as(issued.Token)).Execute()
	refused[taskhold.Problem](http.StatusForbidden, response, err)
	require(len(ok(api.ListTokens(as(login.AccessToken)).Execute()).Tokens) == 1, issued)
	noContent(api.RevokeToken(as(login.AccessToken), issued.Id).Execute())
	change := *taskhold.NewPasswordChange(password, newPassword)
	changed := ok(api.ChangePassword(as(login.AccessToken)).PasswordChange(change).Execute())

	logout := taskhold.NewLogout()
	logout.SetRefreshToken(changed.GetRefreshToken())
	noContent(api.LogOut(as(changed.AccessToken)).Logout(*logout).Execute())
	last := ok(api.LogIn(anonymous).Credentials(*taskhold.NewCredentials(email, newPassword)).Execute())
	farewell := taskhold.NewFarewell()
	farewell.SetPassword(newPassword)
	noContent(api.DeleteAccount(as(last.AccessToken)).Farewell(*farewell).Execute())
}

func checkAgents(client *taskhold.APIClient, ctx context.Context) {
	api := client.AgentsAPI
	introduction := map[string]interface{}{"jsonrpc": "2.0", "id": 1, "method": "initialize"}
	answer := ok(api.Mcp(ctx).RequestBody(introduction).Execute())
	result, isResult := answer["result"].(map[string]interface{})
	require(isResult && result["protocolVersion"] == "2025-11-25", answer)
	require(ok(api.McpMetadata(ctx).Execute())["resource_name"] == "Taskhold", "metadata")
	require(ok(api.McpMetadataAtRoot(ctx).Execute())["resource_name"] == "Taskhold", "metadata at the root")
}

func checkOperating(client *taskhold.APIClient) {
	api, ctx := client.OperatingAPI, context.Background()
	require(ok(api.Health(ctx).Execute()).GetDatabase() == "connected", "database")
	require(ok(api.Live(ctx).Execute()).Status == "alive", "live")
	require(ok(api.Ready(ctx).Execute()).Status == "ready", "ready")
	require(strings.Contains(ok(api.Metrics(ctx).Execute()), "taskhold_build_info"), "metrics")
	require(ok(api.Openapi(ctx).Execute())["openapi"] == "3.1.0", "document")
	require(strings.Contains(ok(api.Docs(ctx).Execute()), "<html"), "page")
	require(ok(api.DocsAsset(ctx, "start.js").Execute()) != "", "asset")
}
