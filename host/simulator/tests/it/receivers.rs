//! Who hears of what: each event in the recorded form, to those whom it concerns, and to nobody else.

use serde_json::{Value, json};

use crate::support::{Listener, Setup, id_of, says};

/// Jon, who is in the room; Chris, who is on the team only; and somebody on another team.
struct Ears {
    setup: Setup,
    room: String,
    jon: Listener,
    chris: Listener,
    stranger: Listener,
    stranger_id: String,
}

impl Ears {
    async fn open() -> Ears {
        let setup = Setup::start().await;
        let (admin, bot) = (setup.simulator.admin_token(), setup.simulator.bot_token());
        let new = json!({"team_id": setup.simulator.team_id(), "name": "room-1", "display_name": "Room", "type": "O"});
        let room = id_of(&setup.must("POST", "/channels", bot, new).await);
        let jon = json!({"user_id": setup.user_id("jon").await});
        setup.must("POST", &format!("/channels/{room}/members"), bot, jon).await;
        let stranger = setup.must("POST", "/bots", admin, json!({"username": "stranger"})).await;
        let stranger_id = stranger["user_id"].as_str().unwrap().to_owned();
        let token = format!("/users/{stranger_id}/tokens");
        let token = setup.must("POST", &token, admin, json!({"description": "d"})).await;
        let stranger = Listener::connect(&setup, token["token"].as_str().unwrap(), "").await;
        let jon = Listener::connect(&setup, setup.simulator.token_of("jon").unwrap(), "").await;
        let chris = Listener::connect(&setup, setup.simulator.token_of("chris").unwrap(), "").await;
        let mut ears = Ears { setup, room, jon, chris, stranger, stranger_id };
        for listener in [&mut ears.jon, &mut ears.chris, &mut ears.stranger] {
            listener.until(|frame| frame["event"] == "status_change").await;
        }
        ears
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Value {
        self.setup.must(method, path, self.setup.simulator.admin_token(), body).await
    }

    /// The events that each of the three heard since, but those of posts: what the server says in a channel is not the
    /// matter here.
    async fn heard(&mut self) -> [Vec<Value>; 3] {
        let square = self.setup.channel_id("town-square").await;
        self.setup.post(self.setup.simulator.bot_token(), &square, "the end").await;
        let chosen = |frames: Vec<Value>| {
            frames.into_iter().filter(|frame| frame["event"] != "posted").collect::<Vec<Value>>()
        };
        let jon = chosen(self.jon.until(|frame| says(frame, "the end")).await);
        let chris = chosen(self.chris.until(|frame| says(frame, "the end")).await);
        // The stranger is in no channel of this team. A direct one ends what it hears.
        let admin = self.setup.user_id("sysadmin").await;
        let pair = json!([admin, self.stranger_id]);
        let direct = id_of(&self.call("POST", "/channels/direct", pair).await);
        self.call("POST", "/posts", json!({"channel_id": direct, "message": "the end"})).await;
        let mut stranger = chosen(self.stranger.until(|frame| says(frame, "the end")).await);
        stranger.retain(|frame| frame["event"] != "direct_added");
        [jon, chris, stranger]
    }
}

fn names(frames: &[Value]) -> Vec<&str> {
    frames.iter().map(|frame| frame["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_channel_that_changes_is_its_members_matter_and_archiving_the_teams() {
    let mut ears = Ears::open().await;
    let channel = format!("/channels/{}", ears.room);
    ears.call("PUT", &format!("{channel}/patch"), json!({"header": "new"})).await;
    ears.call("DELETE", &channel, Value::Null).await;
    ears.call("POST", &format!("{channel}/restore"), Value::Null).await;
    let [jon, chris, stranger] = ears.heard().await;
    assert_eq!(names(&jon), ["channel_updated", "channel_deleted", "channel_restored"]);
    assert_eq!(names(&chris), ["channel_deleted", "channel_restored"]);
    assert_eq!(names(&stranger), [""; 0]);
    let shown: Value = serde_json::from_str(jon[0]["data"]["channel"].as_str().unwrap()).unwrap();
    assert_eq!((&shown["id"], &shown["header"]), (&json!(ears.room), &json!("new")));
    assert_eq!(jon[1]["data"]["channel_id"], ears.room);
    assert!(jon[1]["data"]["delete_at"].as_i64().unwrap() > 0);
    assert_eq!(jon[2]["data"], json!({"channel_id": ears.room}));
    for frame in &jon[1..] {
        assert_eq!(frame["broadcast"]["team_id"], ears.setup.simulator.team_id());
    }
}

#[tokio::test]
async fn a_new_channel_is_announced_to_its_creator_only() {
    let mut ears = Ears::open().await;
    let team = ears.setup.simulator.team_id().to_owned();
    let new = json!({"team_id": team, "name": "room-2", "display_name": "Room", "type": "O"});
    let jon = ears.setup.simulator.token_of("jon").unwrap();
    let made = id_of(&ears.setup.must("POST", "/channels", jon, new).await);
    let [jon, chris, stranger] = ears.heard().await;
    assert_eq!(names(&jon), ["channel_created"]);
    assert_eq!(jon[0]["data"], json!({"channel_id": made, "team_id": team}));
    assert_eq!((names(&chris), names(&stranger)), (vec![], vec![]));
}

#[tokio::test]
async fn who_is_removed_from_a_channel_hears_which_and_the_others_hear_who() {
    let mut ears = Ears::open().await;
    let chris_id = ears.setup.user_id("chris").await;
    let admin_id = ears.setup.user_id("sysadmin").await;
    let members = format!("/channels/{}/members", ears.room);
    ears.call("POST", &members, json!({"user_id": chris_id})).await;
    ears.call("DELETE", &format!("{members}/{chris_id}"), Value::Null).await;
    let [jon, chris, stranger] = ears.heard().await;
    assert_eq!(names(&jon), ["user_added", "user_removed"]);
    let added = json!({"team_id": ears.setup.simulator.team_id(), "user_id": chris_id});
    assert_eq!(jon[0]["data"], added);
    assert_eq!(jon[1]["data"], json!({"remover_id": admin_id, "user_id": chris_id}));
    assert_eq!(jon[1]["broadcast"]["channel_id"], ears.room);
    assert_eq!(names(&chris), ["user_added", "user_removed"]);
    assert_eq!(chris[1]["data"], json!({"channel_id": ears.room, "remover_id": admin_id}));
    assert_eq!(chris[1]["broadcast"]["user_id"], chris_id);
    assert_eq!(names(&stranger), [""; 0]);
}

#[tokio::test]
async fn an_edited_post_is_the_matter_of_its_channel() {
    let mut ears = Ears::open().await;
    let bot = ears.setup.simulator.bot_token();
    let post = id_of(&ears.setup.post(bot, &ears.room, "before").await);
    ears.setup.must("PUT", &format!("/posts/{post}/patch"), bot, json!({"message": "after"})).await;
    ears.setup.must("POST", &format!("/posts/{post}/pin"), bot, Value::Null).await;
    let [jon, chris, stranger] = ears.heard().await;
    assert_eq!(names(&jon), ["post_edited", "post_edited"]);
    assert!(says(&jon[0], "after"));
    assert_eq!(jon[0]["broadcast"]["channel_id"], ears.room);
    assert_eq!((names(&chris), names(&stranger)), (vec![], vec![]));
}
