// Follows events: `watch`, and `sync`, which waits until nothing is left to exchange.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/command.h"
#include "cli/event_cursor.h"
#include "cli/event_program.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "proto/control.pb.h"
#include "proto/duration_text.h"

namespace fieldpost::cli {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Short enough to seem immediate, and long enough to cost an idle daemon nothing measurable.
constexpr auto look_again = 250ms;

constexpr auto gap_event = R"({"what":"gap"})";

std::string event_json(const wire::Watch::Event& event) {
    const nlohmann::ordered_json object = {{"seq", event.seq()},
                                           {"at", rfc3339(event.at_unix_s())},
                                           {"what", event.what()},
                                           {"id", text_or_null(event.id())},
                                           {"office", text_or_null(event.office())}};
    return json_text(object);
}

// Words by which an event is known again. Its ID is not in them: an office's name may be known
// better later.
std::string mark_of(const wire::Watch::Event& event) {
    return fmt::format("{} {}", rfc3339(event.at_unix_s()), event.what());
}

struct WatchOptions {
    std::optional<std::uint64_t> after;
    std::string cursor;
    std::string program;
};

// Gives each event to whoever wants it, and keeps the place behind it.
class Teller {
public:
    Teller(const Common& common, std::string program, std::optional<EventCursor> cursor)
        : common_(&common), program_(std::move(program)), cursor_(std::move(cursor)) {}

    [[nodiscard]] std::optional<EventCursor::Place> place() const {
        return cursor_ ? cursor_->place() : std::nullopt;
    }

    [[nodiscard]] bool is_new() const { return cursor_ && !cursor_->place(); }

    void tell_gap() {
        if (!program_.empty()) {
            run(gap_event);
        } else {
            fmt::print("{}\n",
                       common_->json ? gap_event : "(what was before is not kept any more)");
        }
    }

    // A program that fails keeps nothing back: the next event is told all the same.
    Outcome<void> tell(const wire::Watch::Event& event) {
        const auto words = event_json(event);
        last_ = {event.seq(), mark_of(event)};
        if (program_.empty()) {
            if (common_->json) {
                fmt::print("{}\n", words);
            } else {
                fmt::print("{}  {}  {}  {}\n", local_time(event.at_unix_s()),
                           padded(event.what(), 12), padded(event.id(), 12), event.office());
            }
            return {};
        }
        run(words);
        return keep();
    }

    // Keeps the place behind the last event that was told.
    Outcome<void> keep() {
        auto last = std::exchange(last_, std::nullopt);
        return cursor_ && last ? cursor_->move(std::move(*last)) : Outcome<void>{};
    }

    // Keeps the place where a new cursor begins.
    Outcome<void> begin(EventCursor::Place place) {
        return cursor_ && !cursor_->place() ? cursor_->move(std::move(place)) : Outcome<void>{};
    }

private:
    void run(const std::string& event) const {
        if (const auto why = run_program(program_, event + "\n"); !why.empty()) {
            fmt::print(stderr, "fieldpost: {} {}: {}\n", safe_line(program_), safe_line(event),
                       why);
        }
    }

    const Common* common_;
    std::string program_;
    std::optional<EventCursor> cursor_;
    std::optional<EventCursor::Place> last_;
};

// Sets `request` to ask for what comes behind the place. In a store that was put back the event
// there is another one, or there is none: then all events that are kept are told, behind a gap.
Outcome<void> go_on_from(const Common& common, const EventCursor::Place& place, Teller& teller,
                         wire::Request& request) {
    auto& watch = *request.mutable_watch();
    watch.set_after(place.seq);
    if (place.seq == 0 || place.event.empty()) {
        return {};
    }
    watch.set_after(place.seq - 1);
    wire::Answer answer;
    if (auto asked = ask(common, request, answer); !asked) {
        return asked;
    }
    const auto& events = answer.watch().events();
    const bool is_there = !events.empty() && mark_of(events[0]) == place.event;
    const bool is_too_old = !events.empty() && events[0].seq() > place.seq;  // not kept any more
    watch.set_after(is_there || is_too_old ? place.seq : 0);
    if (!is_there && !is_too_old) {
        teller.tell_gap();
    }
    return {};
}

// A new cursor begins behind the newest event.
Outcome<void> begin_at(const Common& common, std::uint64_t seq, Teller& teller) {
    EventCursor::Place place{seq};
    if (seq > 0) {
        wire::Request request;
        request.mutable_watch()->set_after(seq - 1);
        wire::Answer answer;
        if (auto asked = ask(common, request, answer); !asked) {
            return asked;
        }
        const auto& events = answer.watch().events();
        place.event = events.empty() ? "" : mark_of(events[0]);
    }
    return teller.begin(std::move(place));
}

int run_watch(const Common& common, const WatchOptions& options) {
    std::string program;
    if (!options.program.empty()) {
        auto found = find_program(options.program);
        if (!found) {
            return report(common, found.error());
        }
        program = std::move(*found);
    }
    std::optional<EventCursor> cursor;
    if (!options.cursor.empty()) {
        auto opened = EventCursor::open(options.cursor);
        if (!opened) {
            return report(common, opened.error());
        }
        cursor.emplace(std::move(*opened));
    }
    Teller teller(common, std::move(program), std::move(cursor));
    ProgressLine progress(common);
    TransferWords transfer;
    wire::Request request;
    request.mutable_watch()->set_after(options.after.value_or(0));
    request.mutable_watch()->set_from_now(!options.after && !teller.place());
    if (const auto place = teller.place()) {
        if (const auto ready = go_on_from(common, *place, teller, request); !ready) {
            return report(common, ready.error());
        }
    }
    while (true) {
        wire::Answer answer;
        if (const auto asked = ask(common, request, answer); !asked) {
            progress.clear();
            return report(common, asked.error());
        }
        const auto& watch = answer.watch();
        if (!watch.events().empty()) {
            progress.clear();
        }
        if (watch.has_gap()) {
            teller.tell_gap();
        }
        for (const auto& event : watch.events()) {
            if (const auto told = teller.tell(event); !told) {
                return report(common, told.error());
            }
        }
        if (std::fflush(stdout) != 0) {
            return exit_done;  // the caller said it
        }
        auto kept = teller.keep();
        if (kept && teller.is_new()) {
            kept = begin_at(common, watch.newest(), teller);
        }
        if (!kept) {
            return report(common, kept.error());
        }
        if (watch.transfers().empty()) {
            progress.clear();
        } else {
            const auto more = watch.transfers_size() - 1;
            progress.show(transfer.of(watch.transfers(0), Clock::now()) +
                          (more > 0 ? fmt::format("; {} more", more) : ""));
        }
        request.mutable_watch()->set_after(watch.newest());
        request.mutable_watch()->set_from_now(false);
        if (watch.events().empty()) {
            std::this_thread::sleep_for(look_again);
        }
    }
}

struct SyncOptions {
    std::vector<std::string> offices;
    std::string timeout;
};

// The state that this end saw when it began.
struct Beginning {
    std::map<std::string, std::uint32_t> failures;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
};

enum class Reached { yes, under_way, no };

Reached reached(const wire::Sync::Peer& peer, const Beginning& beginning) {
    if (peer.state() == "settled") {
        return Reached::yes;
    }
    const auto before = beginning.failures.find(peer.office());
    const bool has_failed = before != beginning.failures.end() && peer.failures() > before->second;
    return peer.state() == "none" || (peer.state() == "connecting" && has_failed)
               ? Reached::no
               : Reached::under_way;
}

std::string progress_of(const wire::Sync& sync, const Beginning& beginning,
                        TransferWords& transfer) {
    std::vector<std::string> offices;
    for (const auto& peer : sync.peers()) {
        if (reached(peer, beginning) == Reached::under_way) {
            offices.push_back(fmt::format("{} {}", peer.office(), peer.state()));
        }
    }
    // The transfer stands first, so that a narrow terminal does not cut it.
    std::vector<std::string> words;
    if (!sync.transfers().empty()) {
        words.push_back(transfer.of(sync.transfers(0), Clock::now()));
    }
    words.push_back(fmt::format("{} sent, {} received", sync.sent() - beginning.sent,
                                sync.received() - beginning.received));
    if (!offices.empty()) {
        words.push_back(fmt::format("{}", fmt::join(offices, ", ")));
    }
    return fmt::format("{}", fmt::join(words, "; "));
}

void print_synced(const Common& common, const wire::Sync& sync, const Beginning& beginning) {
    const auto sent = sync.sent() - beginning.sent;
    const auto received = sync.received() - beginning.received;
    if (common.json) {
        auto offices = nlohmann::ordered_json::array();
        for (const auto& peer : sync.peers()) {
            offices.push_back(
                {{"office", peer.office()}, {"reached", reached(peer, beginning) == Reached::yes}});
        }
        const nlohmann::ordered_json object = {{"sent_records", sent},
                                               {"received_records", received},
                                               {"only_here", sync.only_here()},
                                               {"offices", offices}};
        fmt::print("{}\n", json_text(object));
        return;
    }
    for (const auto& peer : sync.peers()) {
        fmt::print("{}: {}\n", peer.office(),
                   reached(peer, beginning) == Reached::yes ? "nothing left to exchange"
                   : peer.state() == "none"                 ? "no address"
                                                            : "no answer");
    }
    fmt::print("sent {}, received {}; {}\n", sent, received,
               sync.only_here() == 0
                   ? "all that was queued here is held by another office too"
                   : fmt::format("{} of ours no other office holds yet", sync.only_here()));
}

// Decides if the command may end: all peers are done, and have been for a while. Receipts follow
// reports within a second.
class Patience {
public:
    bool is_over(const wire::Sync& sync, const Beginning& beginning) {
        const auto moved = sync.sent() + sync.received();
        const bool is_done = std::ranges::all_of(sync.peers(), [&](const auto& peer) {
            return reached(peer, beginning) != Reached::under_way;
        });
        const auto now = Clock::now();
        if (!is_done || moved != moved_) {
            moved_ = moved;
            since_ = now;
        }
        const bool has_moved = moved_ != beginning.sent + beginning.received;
        return is_done && now - since_ >= (has_moved ? 1500ms : 300ms);
    }

private:
    std::uint64_t moved_ = 0;
    Clock::time_point since_ = Clock::now();
};

int run_sync(const Common& common, const SyncOptions& options) {
    std::optional<Clock::time_point> end;
    if (!options.timeout.empty() || common.has_timeout) {
        const auto seconds = options.timeout.empty() ? std::optional(common.timeout_s)
                                                     : parse_duration(options.timeout);
        if (!seconds) {
            return report(common, no_duration(options.timeout));
        }
        end = Clock::now() + std::chrono::seconds{*seconds};
    }
    wire::Request request;
    for (const auto& office : options.offices) {
        request.mutable_sync()->add_offices(office);
    }
    request.mutable_sync()->set_dial(true);
    wire::Answer answer;
    if (const auto asked = ask(common, request, answer); !asked) {
        return report(common, asked.error());
    }
    Beginning beginning;
    for (const auto& peer : answer.sync().peers()) {
        beginning.failures[peer.office()] = peer.failures();
    }
    beginning.sent = answer.sync().sent();
    beginning.received = answer.sync().received();
    request.mutable_sync()->set_dial(false);
    ProgressLine progress(common);
    TransferWords transfer;
    Patience patience;
    while (!patience.is_over(answer.sync(), beginning)) {
        if (end && Clock::now() >= *end) {
            progress.clear();
            return report(common, {exit_timed_out, "timed_out",
                                   fmt::format("not done in time: {}; it still goes on",
                                               progress_of(answer.sync(), beginning, transfer)),
                                   "see: fieldpost peers"});
        }
        progress.show(progress_of(answer.sync(), beginning, transfer));
        std::this_thread::sleep_for(look_again / 2);
        if (const auto asked = ask(common, request, answer); !asked) {
            progress.clear();
            return report(common, asked.error());
        }
    }
    progress.clear();
    request.mutable_sync()->set_want_only_here(true);
    if (const auto asked = ask(common, request, answer); !asked) {
        return report(common, asked.error());
    }
    const auto& peers = answer.sync().peers();
    const auto is_missing = [&](const auto& peer) {
        return reached(peer, beginning) == Reached::no;
    };
    // Each office that was named must be reached. If none was named, one office is enough.
    const bool has_failed = options.offices.empty()
                                ? !peers.empty() && std::ranges::all_of(peers, is_missing)
                                : std::ranges::any_of(peers, is_missing);
    if (has_failed) {
        std::vector<std::string> missing;
        for (const auto& peer : peers) {
            if (is_missing(peer)) {
                missing.push_back(peer.office());
            }
        }
        return report(common, {exit_failed, "no_answer",
                               fmt::format("not reached: {}", fmt::join(missing, ", ")),
                               "see: fieldpost peers"});
    }
    print_synced(common, answer.sync(), beginning);
    return exit_done;
}

}  // namespace

void add_watch(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("watch", "follow what happens, a line each");
    auto options = std::make_shared<WatchOptions>();
    auto* after =
        command->add_option("--after", options->after, "from this seq on; without it, from now on");
    command->add_option("--cursor", options->cursor, "keep the place in this file, and go on there")
        ->excludes(after);
    command->add_option("--exec", options->program,
                        "run this program for each event: JSON on its input");
    command->footer("Example: fieldpost watch --cursor seen.json --exec ./alert");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_watch(common, *options); };
    });
}

void add_sync(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("sync", "dial now, and wait until all is exchanged");
    auto options = std::make_shared<SyncOptions>();
    command->add_option("OFFICE", options->offices, "offices; without any, all");
    command->add_option("--timeout", options->timeout, "give up after 30s, 15min; it goes on");
    command->footer("Example: fieldpost sync hq --timeout 5min");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_sync(common, *options); };
    });
}

}  // namespace fieldpost::cli
