"""What goes to the server while a hand moves, and what comes back: pace, lead over the hand, freezes. Pure modules."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser


# A display that ticks, a server that draws the newest camera it has at its own rate, and a path with a delay.
PLAY = """
const { Pace } = await import("/viewer/pace.js");
function play({ display, server, seconds, delay = 10, deaf = false }) {
  const pace = new Pace();
  const [sends, notes, ages] = [[], [], []];
  let [seq, newest, made, due] = [0, 0, 0, 0];
  for (let now = 0; now < 1000 * seconds; now += 0.5) {
    for (const note of notes.filter(({ at }) => at === now)) pace.answered(note.rtp, note.seq, now);
    for (const send of sends.filter(({ at }) => at + delay === now)) newest = send.seq;
    if (!deaf && newest > made && now >= due) {
      made = newest;
      due = now + 1000 / server;
      ages.push(now - delay - sends.find(({ seq }) => seq === made).at);
      notes.push({ at: now + delay, rtp: Math.round(4294960000 + now * 90) % 2 ** 32, seq: made });
    }
    const tick = Math.floor(now * display / 1000) > Math.floor((now - 0.5) * display / 1000);
    if (tick && pace.wait(now, 2 * delay + 10) <= 0) {
      sends.push({ seq: (seq += 1), at: now });
      pace.sent(seq, now);
    }
  }
  return { sends: sends.length / seconds, pictures: notes.length / seconds, ages, last: sends.at(-1).at };
}
"""


def play(page: Page, **world: float | bool) -> dict[str, Any]:
    """Messages and pictures a second, and how old each picture's camera was, ms."""
    options = ", ".join(f"{name}: {str(value).lower()}" for name, value in world.items())
    return page.evaluate(f"(async () => {{ {PLAY} return play({{ {options} }}); }})()")  # type: ignore[no-any-return]


def test_a_fast_display_sends_as_many_cameras_as_pictures_come_back(page: Page) -> None:
    told = play(page, display=120, server=60, seconds=4)
    assert told["pictures"] > 55
    assert told["sends"] < 72


def test_a_display_as_fast_as_the_server_sends_in_every_frame(page: Page) -> None:
    told = play(page, display=60, server=60, seconds=2)
    assert told["sends"] > 58
    assert told["pictures"] > 55


def test_a_slow_server_gets_one_camera_a_picture(page: Page) -> None:
    told = play(page, display=60, server=30, seconds=4)
    assert told["pictures"] > 27
    assert told["sends"] < 40


def test_however_slow_the_pictures_they_show_a_camera_that_is_not_old(page: Page) -> None:
    told = play(page, display=60, server=8, seconds=6)
    assert max(told["ages"]) <= 51  # three frames of the display, where every frame sends: one


def test_a_blocked_path_is_not_flooded(page: Page) -> None:
    told = play(page, display=60, server=60, seconds=4, deaf=True)
    assert told["sends"] * 4 < 110  # 240 without bounds
    assert told["last"] > 3_800


def test_a_server_that_gets_faster_in_the_middle_of_a_movement_is_noticed(page: Page) -> None:
    slow, moment = page.evaluate(
        """(async () => {
          const { Pace } = await import("/viewer/pace.js");
          const pace = new Pace();
          let [now, seq] = [0, 0];
          const answer = (inputs, gap) => {
            now += gap;
            seq += inputs;
            pace.sent(seq, now);
            pace.answered(now * 90, seq, now);
          };
          for (let i = 0; i < 20; i += 1) answer(2, 33);
          const slow = pace.pause;
          let moment = 0;
          for (; pace.pause > 0; moment += 1) answer(1, 33);
          return [slow, moment];
        })()"""
    )
    assert slow == pytest.approx(33)
    assert moment <= 12  # answers


def test_a_server_that_stays_slow_is_tried_less_and_less(page: Page) -> None:
    tries = page.evaluate(
        """(async () => {
          const { Pace } = await import("/viewer/pace.js");
          const pace = new Pace();
          let [now, seq, count] = [0, 0, 0];
          const tries = [];
          for (let i = 0; tries.length < 6; i += 1, count += 1) {
            const inputs = pace.pause > 0 ? 1 : 2;
            if (inputs === 2 && count > 6) tries.push(count), (count = 0);
            now += 33;
            seq += inputs;
            pace.sent(seq, now);
            pace.answered(now * 90, seq, now);
          }
          return tries;
        })()"""
    )
    assert tries == sorted(tries)
    assert tries[-1] - tries[0] > 60


def test_the_newest_camera_goes_out_even_if_nothing_moves_any_more(page: Page) -> None:
    told = page.evaluate(
        """(async () => {
          const { Remote } = await import("/viewer/remote.js");
          const { Timeline } = await import("/viewer/timing.js");
          const out = [];
          const session = { control: () => true, camera: (text) => out.push(JSON.parse(text).orbit[0]) };
          const remote = new Remote(() => undefined);
          const link = { session, timeline: new Timeline(() => undefined), await: () => undefined };
          const at = (theta) => ({ theta, phi: 75, radius: 2, target: [0, 0, 0], fov: 30 });
          remote.camera(at(0));
          remote.attach(link);
          // Four inputs to a picture: the server is slow.
          for (let i = 1; i <= 40; i += 1) {
            remote.camera(at(i), true);
            if (i % 4 === 0) remote.noted(i * 900, i + 1);
          }
          out.length = 0;
          for (let theta = 100; theta <= 104; theta += 1) remote.camera(at(theta));
          const [atOnce, owed] = [[...out], remote.owed];
          await new Promise((resolve) => setTimeout(resolve, 80));
          const result = [atOnce, owed, out.at(-1), out.length];
          remote.close();
          return result;
        })()"""
    )
    at_once, owed, last, count = told
    assert at_once == []
    assert owed
    assert last == 104
    assert count == 1


# A finger that moves by `speed(t)` px/ms; the browser predicts 8 and 16 ms ahead, as if it kept its speed.
FINGER = """
const { Ahead } = await import("/viewer/ahead.js");
function drag(speed, { latency = 30, predict = (v, ms) => v * ms, until = 400, every = 8 } = {}) {
  const ahead = new Ahead();
  ahead.begin();
  const path = [];
  for (let [time, x] = [0, 0]; time <= until; time += every, x += every * speed(time)) {
    const v = speed(time);
    if (v !== 0) {
      const predicted = [8, 16].map((ms) => ({ x: x + predict(v, ms), y: 0, time: time + ms }));
      ahead.move({ x, y: 0, time }, predicted, latency);
    }
    path.push({ time, x, lead: ahead.lead(time).x });
  }
  return path;
}
"""


def drag(page: Page, script: str) -> list[dict[str, float]]:
    return page.evaluate(f"(async () => {{ {FINGER} return {script}; }})()")  # type: ignore[no-any-return]


def test_a_steady_hand_is_led_by_no_more_than_a_frame(page: Page) -> None:
    path = drag(page, "drag(() => 0.5)")
    assert path[-1]["lead"] == pytest.approx(8)
    assert max(point["lead"] for point in path) <= 8.01
    assert path[1]["lead"] == 0  # nothing is known yet


@pytest.mark.parametrize(
    "script",
    [
        "drag(() => 0.5, { latency: NaN })",
        "drag(() => 0.05)",
        "drag(() => 0.5, { predict: (v, ms) => 4 * v * ms })",
        "drag(() => 0.5, { predict: () => 0 })",
    ],
    ids=["unmeasured", "slow", "wild", "none"],
)
def test_without_ground_there_is_no_lead(page: Page, script: str) -> None:
    assert {point["lead"] for point in drag(page, script)} == {0}


def test_the_lead_is_never_longer_than_the_time_that_was_measured(page: Page) -> None:
    assert drag(page, "drag(() => 0.5, { latency: 4 })")[-1]["lead"] == pytest.approx(2)


def test_a_hand_that_slows_down_is_not_overshot_and_the_picture_never_goes_back(page: Page) -> None:
    # Half a second of even speed, then to rest within 120 ms.
    path = drag(page, "drag((t) => t < 300 ? 0.6 : Math.max(0, 0.6 * (1 - (t - 300) / 120)), { until: 600 })")
    shown = [point["x"] + point["lead"] for point in path]
    assert max(point["lead"] for point in path) > 5
    assert shown == sorted(shown)
    assert max(shown) == pytest.approx(path[-1]["x"])
    assert path[-1]["lead"] == 0


def test_a_hand_that_stops_dead_is_where_it_is_within_two_frames(page: Page) -> None:
    path = drag(page, "drag((t) => t < 300 ? 0.6 : 0, { until: 400 })")
    assert {point["lead"] for point in path if point["time"] > 330} == {0}


def test_a_hand_that_turns_back_has_no_lead(page: Page) -> None:
    path = drag(page, "drag((t) => t < 200 ? 0.6 : -0.6)")
    turned = next(point for point in path if point["time"] > 208)
    assert turned["lead"] <= 0


def freezes(page: Page, script: str) -> list[float]:
    """Number and total of the freezes of a scene: `f` counts."""
    return page.evaluate(  # type: ignore[no-any-return]
        f"import('/viewer/freezes.js').then((m) => {{ const f = new m.Freezes(); {script}; "
        "return [f.count, f.duration]; })"
    )


def test_silence_at_rest_is_no_freeze(page: Page) -> None:
    assert freezes(page, "f.input(0, 20); f.frame(25); f.rest(); f.frame(9000)") == [0, 0]


def test_a_picture_that_stands_still_under_the_hand_is_one(page: Page) -> None:
    assert freezes(page, "f.input(0, 20); f.frame(25); f.input(30, 20); f.frame(425); f.frame(440)") == [1, 400]


def test_the_first_answer_may_take_as_long_as_it_usually_does(page: Page) -> None:
    assert freezes(page, "f.input(0, 400); f.frame(550)") == [0, 0]
    assert freezes(page, "f.input(0, NaN); f.frame(550)") == [1, 450]


def test_reports_are_few_and_only_of_what_happened(page: Page) -> None:
    told = page.evaluate(
        """import("/viewer/freezes.js").then(async ({ Reporter }) => {
          const said = [];
          const late = setTimeout;
          let [open, later] = [true, null];
          window.setTimeout = (action, delay) => ((later = action), delay);
          const reporter = new Reporter((text) => open && said.push(JSON.parse(text)) > 0);
          reporter.add(250);
          reporter.add(300);
          reporter.add(400.4);
          const first = [...said];
          later();
          later();
          open = false;
          reporter.add(200);
          later();
          open = true;
          later();
          window.setTimeout = late;
          return [first, said];
        })"""
    )
    first, all_of_them = told
    assert first == [{"type": "report", "freezes": 1, "frozen_ms": 250}]
    assert [(message["freezes"], message["frozen_ms"]) for message in all_of_them] == [(1, 250), (2, 700), (1, 200)]


def test_without_timestamps_a_frame_is_the_newest_that_was_noted(page: Page) -> None:
    told = page.evaluate(
        """import("/viewer/timing.js").then(({ Timeline }) => {
          const answered = [];
          const line = new Timeline((seq) => answered.push(seq));
          line.sent(1, 100);
          line.presented(undefined, 110);
          line.noted(9000, 1);
          line.presented(undefined, 130);
          line.presented(undefined, 140);
          return [answered.at(0), line.samples, line.usual];
        })"""
    )
    assert told == [1, [30], 30]
