#include "daemon/runtime/office.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <csignal>
#include <deque>

#include "daemon/engine/membership/founding.h"
#include "daemon/engine/record/authoring.h"
#include "daemon/home/group_access.h"
#include "daemon/runtime/answers.h"
#include "daemon/runtime/bundles.h"
#include "daemon/runtime/clock.h"
#include "daemon/runtime/coverage.h"
#include "daemon/runtime/folders.h"
#include "daemon/runtime/home_lock.h"
#include "daemon/runtime/links.h"
#include "daemon/runtime/marker_file.h"
#include "daemon/runtime/sinks.h"
#include "daemon/runtime/version.h"
#include "storage/lmdb_tables.h"

namespace fieldpost::runtime {

namespace {

using namespace std::chrono_literals;

// The processor's time that goes into requests before the loop looks at links again, and into one
// request that walks over many reports.
constexpr std::chrono::milliseconds requests_a_turn = 20ms;
constexpr std::chrono::milliseconds a_request = 10ms;
constexpr std::chrono::milliseconds a_look_at_coverage = 5ms;
constexpr auto readers_group = "fieldpost-read";
// While the disk takes nothing at all.
constexpr std::chrono::milliseconds full_disk_retry = 10s;
// Windows open and close then, and a clock that was changed is noticed.
std::chrono::milliseconds to_next_minute() {
    const auto since_epoch = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    return 60s - since_epoch % 60s;
}

class Office {
public:
    Office(const home::OfficeHome& home, Configuration configuration, Configuration added)
        : home_(home), configuration_(std::move(configuration)), added_(std::move(added)) {}

    Result<void> open();
    Result<void> run(int signals);

private:
    Result<void> open_store();
    Result<void> load_engine();
    Result<void> recover(const Error& why);
    Result<void> put_aside_what_was_met();
    Result<void> reconfigure();
    Result<bool> handle_signals(int signals);
    Result<void> batch_or_recover(const std::vector<engine::Input>& inputs);
    Result<std::vector<engine::Notice>> batch(const std::vector<engine::Input>& inputs);
    Result<void> open_doors();
    struct Door {
        std::unique_ptr<control::ControlSocket> socket;
        Rights rights{};
    };
    struct Waiting {
        const Door* door = nullptr;
        control::RequestIn request;
    };
    void hear(const link::WatchedFd& client);
    Result<Handled> read_request(const Waiting& waiting);
    Result<void> answer_waiting();
    Result<void> answer(const Waiting& waiting);
    Result<std::optional<engine::Input>> look_at_coverage();
    void tell(const std::vector<engine::Notice>& notices);
    Result<void> notice_admission();

    home::OfficeHome home_;
    Configuration configuration_;
    Configuration added_;
    std::optional<HomeLock> lock_;
    std::optional<crypto::MachineKeys> machine_;
    std::optional<crypto::MailKeys> mail_;
    engine::Config config_;
    std::unique_ptr<storage::RecordStore> store_;
    std::optional<MarkerFile> marker_;
    std::optional<engine::Engine> engine_;
    // The disk takes nothing: what is there can be read until this is over.
    std::optional<Instant> full_until_;
    std::string full_why_;
    std::vector<Door> doors_;  // made once
    std::optional<Links> links_;
    std::optional<Bundles> bundles_;
    Folders folders_{home_};
    std::optional<Sinks> sinks_;
    Coverage coverage_;
    std::optional<Instant> wake_at_;
    WallTime started_;
    std::chrono::milliseconds longest_batch_{};  // of the processor's time
    std::uint32_t roster_written_ = 0;
    std::deque<Waiting> requests_;  // that were not answered yet
    [[nodiscard]] bool has_backlog() const;
    std::uint64_t next_request_ = 1;
};

Result<void> Office::open() {
    started_ = now().wall;
    TRY(check_owner(home_.folder()));
    if (!home_.is_office()) {
        return fail(Errc::not_found, fmt::format("no office in {}; use fieldpost init or join",
                                                 home_.folder().string()));
    }
    lock_.emplace(TRY(HomeLock::take(home_.lock())));
    machine_ = TRY(home_.machine_keys());
    mail_ = TRY(home_.mail_keys());
    config_.machine = &*machine_;
    config_.mail = &*mail_;
    config_.endpoints = configuration_.advertise;
    config_.carry_bytes_max = configuration_.carry_bytes;
    config_.software = fmt::format("fieldpost {}", version);
    std::array<std::byte, 4> life{};
    crypto::fill_random(life);
    config_.life = ByteReader(life).read_u32().value();
    marker_.emplace(TRY(MarkerFile::open(home_.marker())));
    TRY(open_store());
    sinks_.emplace(home_.sinks());
    TRY(open_doors());
    links_.emplace(home_, *machine_, configuration_, engine_);
    bundles_.emplace(*machine_, engine_->ledger().network());
    folders_.keep(folder_works(configuration_));
    coverage_.expect(configuration_.expectations);
    return links_->open();
}

// Nobody else waits for the readers' door: without it the office does all that it does otherwise.
Result<void> Office::open_doors() {
    doors_.push_back({TRY(control::ControlSocket::open(home_.socket())), Rights::all});
    const auto readers = home::group_id(readers_group);
    auto door = control::ControlSocket::open(home_.readers_socket(), control::questions, readers);
    if (!door) {
        spdlog::warn("nobody can read here by group: {}", door.error().detail);
        return ok();
    }
    doors_.push_back({std::move(*door), Rights::reader});
    if (readers) {
        auto let_in = home::grant(home_.folder(), *readers, home::Access::pass_through);
        if (let_in) {
            let_in = home::grant(home_.readers_socket(), *readers, home::Access::read_and_write);
        }
        if (!let_in) {
            spdlog::warn("the group {} cannot read here: {}", readers_group, let_in.error().detail);
        }
    }
    return ok();
}

Result<void> Office::open_store() {
    auto tables =
        TRY(storage::open_lmdb_tables(home_.store(), {.limit_bytes = configuration_.store_bytes}));
    store_ = TRY(storage::RecordStore::open(std::move(tables), machine_->store_key.duplicate()));
    const auto founding = TRY(home_.founding());
    TRY(store_->begin());
    if (!TRY(store_->meta())) {
        const auto identity = TRY(home_.identity());
        const auto arrivals = TRY(home_.arrivals());
        for (const auto& change : engine::founding_changes(
                 crypto::network_id_of(founding), identity.index, identity.incarnation,
                 identity.mark, arrivals.roster, arrivals.registers)) {
            TRY(store_->apply(change));
        }
        TRY(store_->commit());
    } else {
        store_->abort();
    }
    const auto loaded = load_engine();
    return loaded ? loaded : recover(loaded.error());
}

Result<void> Office::load_engine() {
    const auto founding = TRY(home_.founding());
    engine_.emplace(
        TRY(engine::Engine::load(*store_, config_, founding, now(), marker_->marker())));
    TRY(batch({engine::TimerFired{}}));
    coverage_.begin_anew();
    return ok();
}

// After a failed commit the engine knows what the store does not, so it is made anew, and so is
// what peers were told. A disk that takes nothing is tried again; until then all can be read. What
// is damaged is put aside while the engine is made; damage that is met even so ends the daemon.
Result<void> Office::recover(const Error& why) {
    if (why.code != Errc::storage_full && why.code != Errc::no_memory &&
        why.code != Errc::corrupt) {
        return std::unexpected(why);
    }
    if (why.code != Errc::storage_full) {
        spdlog::error("{}: all links are closed and dialled again", why.detail);
        if (links_) {
            (void)links_->end_all(why.code == Errc::no_memory ? "out of memory" : "closed here");
        }
        if (bundles_) {
            bundles_->forget_all();
        }
        const auto loaded = load_engine();
        return loaded || loaded.error().code != Errc::storage_full ? loaded
                                                                   : recover(loaded.error());
    }
    if (!full_until_) {
        full_why_ = why.detail;
        spdlog::error("the disk or the store is full: {}", why.detail);
    }
    if (links_) {
        (void)links_->end_all("closed here");  // of which the new engine knows nothing
    }
    if (bundles_) {
        bundles_->forget_all();
    }
    full_until_.reset();
    auto loaded = load_engine();
    if (loaded) {
        const auto told = batch({engine::MachineTrouble{engine::What::disk_full, full_why_}});
        loaded = told ? ok() : Result<void>(std::unexpected(told.error()));
    }
    if (!loaded && loaded.error().code == Errc::storage_full) {
        full_until_ = now().steady + full_disk_retry;
        return ok();
    }
    return loaded;
}

Result<void> Office::batch_or_recover(const std::vector<engine::Input>& inputs) {
    const auto done = batch(inputs);
    return done ? put_aside_what_was_met() : recover(done.error());
}

// A read may go on without what is damaged, or a command may have asked for it.
Result<void> Office::put_aside_what_was_met() {
    return store_->is_in_doubt() ? recover({Errc::corrupt, "the store is damaged"}) : ok();
}

Result<std::vector<engine::Notice>> Office::batch(const std::vector<engine::Input>& inputs) {
    const auto used_before = used_by_this_thread();
    auto done = TRY(engine_->run_batch(inputs, now));
    longest_batch_ =
        std::max(longest_batch_,
                 std::chrono::ceil<std::chrono::milliseconds>(used_by_this_thread() - used_before));
    wake_at_ = done.wake_at;
    marker_->put(engine_->marker());
    if (links_) {
        links_->send(done.send);
    }
    tell(done.notify);
    return std::move(done.notify);
}

Result<void> Office::reconfigure() {
    auto fresh = read_configuration(home_.configuration(), added_);
    if (!fresh) {
        spdlog::error("the configuration stays as it was: {}", fresh.error().detail);
        return batch_or_recover(
            {engine::MachineTrouble{engine::What::configuration, fresh.error().detail}});
    }
    const bool listens_elsewhere = links_->listens_otherwise(*fresh);
    const bool calls_otherwise = fresh->beacon != configuration_.beacon;
    if (fresh->store_bytes != configuration_.store_bytes) {
        spdlog::warn("the store's limit changes at the next start");
    }
    configuration_ = std::move(*fresh);
    config_.endpoints = configuration_.advertise;
    config_.carry_bytes_max = configuration_.carry_bytes;
    folders_.keep(folder_works(configuration_));
    if (configuration_.expectations != coverage_.expectations()) {
        coverage_.expect(configuration_.expectations);
    }
    spdlog::info("the configuration was read again");
    std::string trouble;
    if (calls_otherwise) {
        links_->open_beacon();
    }
    if (listens_elsewhere) {
        TRY(batch_or_recover(links_->end_all("listening elsewhere")));
        if (const auto opened = links_->open(); !opened) {
            spdlog::error("{}", opened.error().detail);
            trouble = opened.error().detail;
        }
    }
    return batch_or_recover({engine::MachineTrouble{engine::What::configuration, trouble}});
}

// False: to be stopped.
Result<bool> Office::handle_signals(int signals) {
    signalfd_siginfo info{};
    while (::read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        if (info.ssi_signo != SIGHUP) {
            return false;
        }
        sd_notify(0, "RELOADING=1");
        TRY(reconfigure());
        sd_notify(0, "READY=1");
    }
    return true;
}

void Office::tell(const std::vector<engine::Notice>& notices) {
    const auto& ledger = engine_->ledger();
    for (const auto& notice : notices) {
        if (const auto* close = std::get_if<engine::CloseLink>(&notice)) {
            spdlog::warn("closing a link: {}", close->reason);
            links_->heed(*close);
        }
        if (const auto* use = std::get_if<engine::LinkUse>(&notice)) {
            links_->heed(*use);
        }
        if (const auto* happened = std::get_if<engine::Happened>(&notice)) {
            const auto* office = ledger.roster().find(happened->event.office);
            spdlog::debug("{}: {}", storage::kind_of(happened->event.what).name,
                          office == nullptr ? "?" : office->name);
        }
    }
}

// A client may ask for more than there is memory for: that costs its answer, and not the daemon.
template <class T, class Work>
Result<T> with_memory(const Work& work) {
    try {
        return work();
    } catch (const std::bad_alloc&) {
        return fail(Errc::no_memory, "not enough memory for this request");
    }
}

Result<Handled> Office::read_request(const Waiting& waiting) {
    TRY(store_->begin());
    const auto slice_ends = used_by_this_thread() + a_request;
    const Surroundings around{started_,
                              longest_batch_,
                              now(),
                              [slice_ends] { return used_by_this_thread() >= slice_ends; },
                              links_->linked(true),
                              links_->traffic(),
                              links_->in_small_segments(),
                              &links_->dialler(),
                              engine_->links(),
                              &*bundles_,
                              &folders_,
                              &*sinks_,
                              &coverage_};
    auto read = with_memory<Handled>([&] {
        return handle_request(engine_->ledger(), waiting.request.bytes, waiting.door->rights,
                              next_request_, around);
    });
    store_->abort();
    return read;
}

// While there is one no more requests are read: they would fill the memory.
bool Office::has_backlog() const {
    constexpr std::size_t waiting_max = 16;
    constexpr std::size_t waiting_bytes_max = std::size_t{1} << 20;
    std::size_t bytes = 0;
    for (const auto& waiting : requests_) {
        bytes += waiting.request.bytes.size();
    }
    return requests_.size() >= waiting_max || bytes >= waiting_bytes_max;
}

void Office::hear(const link::WatchedFd& client) {
    for (const auto& door : doors_) {
        for (auto& request :
             door.socket->handle(client.fd, client.is_readable, client.is_writable, now().steady)) {
            requests_.push_back({&door, std::move(request)});
        }
    }
}

// The requests that came, the oldest first, until they have taken their share of this turn.
Result<void> Office::answer_waiting() {
    const auto turn_ends = used_by_this_thread() + requests_a_turn;
    while (!requests_.empty() && used_by_this_thread() < turn_ends) {
        const auto next = std::move(requests_.front());
        requests_.pop_front();
        TRY(answer(next));
    }
    return ok();
}

// Every request has its own commit: what is answered is on disk, and one that fails fails alone.
Result<void> Office::answer(const Waiting& waiting) {
    auto& door = *waiting.door->socket;
    const auto client = waiting.request.client;
    if (full_until_) {
        // Somebody may have made room since.
        TRY(recover({Errc::storage_full, full_why_}));
    }
    auto read = read_request(waiting);
    if (store_->is_in_doubt()) {
        TRY(put_aside_what_was_met());
        read = read_request(waiting);
    }
    if (!read && read.error().code == Errc::no_memory) {
        door.answer(client, refuse_request(read.error()), now().steady);
        return ok();
    }
    auto handled = TRY(std::move(read));
    if (auto* answer = std::get_if<Bytes>(&handled)) {
        const bool is_too_much = !door.has_room_for(answer->size());
        door.answer(client,
                    is_too_much ? refuse_request(
                                      {Errc::unavailable, "too many large answers are being read"})
                                : std::move(*answer),
                    now().steady);
        return ok();
    }
    const auto& pending = std::get<Pending>(handled);
    next_request_ += pending.inputs.size();
    const auto done =
        full_until_
            ? Result<std::vector<engine::Notice>>(fail(Errc::storage_full, "the disk is full"))
            : batch(pending.inputs);
    if (!done) {
        door.answer(client, refuse_request(done.error()), now().steady);
        return full_until_ ? ok() : recover(done.error());
    }
    TRY(store_->begin());
    auto answer =
        with_memory<Bytes>([&] { return finish_request(engine_->ledger(), pending, *done); });
    store_->abort();
    door.answer(client, answer ? std::move(*answer) : refuse_request(answer.error()), now().steady);
    return put_aside_what_was_met();
}

// In short parts: links come first.
Result<std::optional<engine::Input>> Office::look_at_coverage() {
    if (full_until_ || coverage_.is_up_to_date(now().steady)) {
        return std::nullopt;
    }
    TRY(store_->begin());
    const auto part_ends = used_by_this_thread() + a_look_at_coverage;
    const auto& ledger = engine_->ledger();
    const auto wall = ledger.wall(now());
    const auto looked = coverage_.catch_up(
        ledger, wall, [part_ends] { return used_by_this_thread() >= part_ends; });
    std::optional<engine::Input> news;
    if (looked && *looked) {
        coverage_.note_look(now().steady);
        news = coverage_.take_news(ledger, now().steady, wall);
    }
    store_->abort();
    if (!looked) {
        coverage_.begin_anew();
        TRY(recover(looked.error()));
    }
    TRY(put_aside_what_was_met());
    return news;
}

Result<void> Office::notice_admission() {
    const auto& roster = engine_->ledger().roster();
    if (roster.version() != roster_written_) {
        roster_written_ = roster.version();
        // Offices that turned us away may know us now.
        links_->dialler().start_over({}, now());
        if (!home_.write_roster_copy(engine_->ledger().roster_changes())) {
            spdlog::warn("the copy of the roster could not be written");
        }
    }
    if (!links_->is_outgrown()) {
        return ok();
    }
    spdlog::info("admitted to the network");
    home_.drop_invite_seed();
    TRY(batch_or_recover(links_->end_all("admitted")));
    return links_->open();
}

Result<void> Office::run(int signals) {
    sd_notify(0, "READY=1");
    spdlog::info("ready");
    while (true) {
        if (full_until_ && now().steady >= *full_until_) {
            TRY(recover({Errc::storage_full, full_why_}));
        }
        TRY(notice_admission());
        links_->turn(full_until_.has_value());
        folders_.turn(now().steady);
        auto wait = full_until_ ? full_disk_retry : to_next_minute();
        auto overdue = TRY(look_at_coverage());
        if (!requests_.empty() || (coverage_.is_behind() && !full_until_)) {
            wait = 0ms;
        }
        const auto wake = [&](std::optional<Instant> at) {
            wait = at ? std::clamp(*at - now().steady, 0ms, wait) : wait;
        };
        wake(wake_at_);
        wake(links_->wake_at());
        wake(folders_.wake_at());
        std::vector<link::WatchedFd> watched{{signals}};
        for (const auto& door : doors_) {
            wake(door.socket->wake_at());
            for (const auto& interest : door.socket->interests()) {
                if (interest.wants_write || !has_backlog()) {
                    watched.push_back({interest.fd, interest.wants_write});
                }
            }
        }
        auto inputs = links_->wait(watched, wait);
        std::ranges::move(links_->to_keep(false), std::back_inserter(inputs));
        std::ranges::move(bundles_->forget_idle(now()), std::back_inserter(inputs));
        for (auto news : {folders_.take_news(), std::move(overdue),
                          sinks_->take_news(now().steady, engine_->ledger().wall(now()))}) {
            if (news) {
                inputs.push_back(std::move(*news));
            }
        }
        if (wake_at_ && *wake_at_ <= now().steady) {
            inputs.emplace_back(engine::TimerFired{});
        }
        if (!inputs.empty() && !full_until_) {
            TRY(batch_or_recover(inputs));
        }
        for (const auto& client : std::span(watched).subspan(1)) {
            if (client.is_writable || (client.is_readable && !has_backlog())) {
                hear(client);
            }
        }
        TRY(answer_waiting());
        // After what is ready was taken: a client is not late because this office was busy.
        for (const auto& door : doors_) {
            door.socket->drop_stalled(now().steady);
        }
        if (watched.front().is_readable && !TRY(handle_signals(signals))) {
            break;
        }
    }
    sd_notify(0, "STOPPING=1");
    spdlog::info("stopping");
    if (full_until_) {
        return ok();
    }
    auto last = links_->to_keep(true);
    last.emplace_back(engine::Stopping{});
    TRY(batch(last));
    return ok();
}

// Blocked for the whole process before any thread is made, so that they come here only.
int watch_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

StopReason reason_of(const Error& error) {
    switch (error.code) {
        case Errc::not_found:
            return {Stop::no_office, error.detail};
        case Errc::untrusted:
            return {Stop::not_ours, error.detail};
        case Errc::malformed:
        case Errc::unsupported:
            return {Stop::bad_configuration, error.detail};
        default:
            return {Stop::failed, error.detail};
    }
}

}  // namespace

StopReason run_office(const home::OfficeHome& home, const Configuration& configuration,
                      const Configuration& added) {
    const int signals = watch_signals();
    Office office(home, configuration, added);
    if (const auto opened = office.open(); !opened) {
        return reason_of(opened.error());
    }
    if (const auto ran = office.run(signals); !ran) {
        return {Stop::failed, ran.error().detail};
    }
    return {};
}

}  // namespace fieldpost::runtime
