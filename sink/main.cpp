// fieldpost-sink: puts an office's feed into a database.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "cli/ask_ahead.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "crypto/secret.h"
#include "daemon/home/office_home.h"
#include "proto/bytes.h"
#include "proto/control.pb.h"
#include "proto/duration_text.h"
#include "sink/feeder.h"
#include "sink/schema.h"

namespace fieldpost::sink {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using cli::Failure;
using cli::Outcome;

struct Options {
    std::string dsn;
    std::string attachments;
    bool follows = false;
    bool only_schema = false;
};

// A sink that was killed may have left a transaction that its database has yet to end.
constexpr auto wait_for_other = 30s;
constexpr auto look_again = 2s;
// Nobody saves one attachment for so long.
constexpr auto leftover_after = 1h;
// The office is told that all is well at least so often.
constexpr auto tell_every = 60s;
constexpr std::chrono::seconds retry_min = 1s;
constexpr std::chrono::seconds retry_max = 30s;

std::atomic<bool> is_to_stop = false;

void stop(int) {
    is_to_stop = true;
}

// False: to be stopped.
bool pause(std::chrono::milliseconds time) {
    const auto until = Clock::now() + time;
    while (!is_to_stop && Clock::now() < until) {
        std::this_thread::sleep_for(50ms);
    }
    return !is_to_stop;
}

// Nobody can mend these by waiting.
bool is_final(const Failure& failure) {
    constexpr std::array<std::string_view, 5> codes = {"invalid", "newer", "other_network", "unfit",
                                                       "other_sink"};
    return std::ranges::find(codes, failure.code) != codes.end();
}

// The office knows its own troubles.
bool is_of_office(const Failure& failure) {
    return failure.exit == exit_no_daemon || failure.exit == exit_timed_out ||
           failure.code == "locked" || failure.code == "no_access";
}

class Sink {
public:
    // `name` is that of the database.
    Sink(const cli::Common& common, const Options& options, std::string name)
        : common_(&common), options_(&options), progress_(common), name_(std::move(name)) {}

    int run() {
        auto retry = retry_min;
        while (true) {
            const auto began = Clock::now();
            const auto fed = feed();
            progress_.clear();
            if (fed) {
                return exit_done;
            }
            const auto& failure = fed.error();
            if (!is_of_office(failure)) {
                tell(failure.what);
            }
            // After a break of the network the database may hold on to this sink's own lock.
            const bool is_own_lock = failure.code == "other_sink" && was_locked_;
            if (!options_->follows || (is_final(failure) && !is_own_lock)) {
                return report(*common_, failure);
            }
            if (failure.what != complained_) {
                report(*common_, failure);
                complained_ = failure.what;
            }
            retry = Clock::now() - began > 60s ? retry_min : std::min(2 * retry, retry_max);
            if (!pause(retry)) {
                return exit_done;
            }
        }
    }

private:
    Outcome<void> feed() {
        const auto identity = ask_identity();
        if (!identity) {
            return std::unexpected(identity.error());
        }
        auto connected = connect(options_->dsn);
        if (!connected) {
            return std::unexpected(connected.error());
        }
        auto& database = **connected;
        const auto ready = make_ready(database, *identity);
        if (!ready || is_to_stop) {
            return ready;
        }
        remove_leftovers();
        Feeder feeder(*common_, database, *identity, options_->attachments);
        auto place = feeder.begin();
        if (!place) {
            return std::unexpected(failure_of(place.error()));
        }
        const auto fed = follow(feeder, std::move(*place));
        if (fed && !common_->quiet) {
            progress_.clear();
            fmt::print(stderr, "{} changes{}\n", feeder.taken(),
                       feeder.rejected() == 0
                           ? ""
                           : fmt::format(", {} of them refused by the database: see its table "
                                         "rejected",
                                         feeder.rejected()));
        }
        return fed;
    }

    Outcome<Identity> ask_identity() {
        wire::Request request;
        request.mutable_feed()->set_only_end(true);
        wire::Answer answer;
        if (auto asked = ask(*common_, request, answer); !asked) {
            return std::unexpected(asked.error());
        }
        const auto& feed = answer.feed();
        return Identity{to_hex(as_bytes(feed.network_id())), feed.network(), feed.office(),
                        feed.office_index()};
    }

    Outcome<void> make_ready(Database& database, const Identity& identity) {
        const auto unfit = database.unfit();
        if (!unfit) {
            return std::unexpected(failure_of(unfit.error()));
        }
        if (!unfit->empty()) {
            return std::unexpected(
                Failure{exit_invalid, "unfit", *unfit, "make one with: createdb -E UTF8 NAME"});
        }
        if (auto prepared = prepare(database, identity.network_id, identity.network); !prepared) {
            return prepared;
        }
        const auto until = Clock::now() + wait_for_other;
        while (true) {
            const auto locked = database.lock(identity.source);
            if (!locked) {
                return std::unexpected(failure_of(locked.error()));
            }
            was_locked_ = was_locked_ || *locked;
            if (*locked || !pause(200ms)) {
                return {};
            }
            if (Clock::now() >= until) {
                return std::unexpected(Failure{
                    exit_failed, "other_sink",
                    fmt::format("another sink of {} is at work on this database", identity.office),
                    "one is enough; end the other one to start this one"});
            }
        }
    }

    Outcome<void> follow(Feeder& feeder, std::string place) {
        wire::Request request;
        request.mutable_feed()->mutable_filter()->set_all_versions(true);
        request.mutable_feed()->set_place(place);
        std::optional<std::uint64_t> until;
        Clock::time_point told{};
        auto next = cli::ask_ahead(*common_, request);
        while (true) {
            const auto answer = next.get();
            if (!answer) {
                return std::unexpected(answer.error());
            }
            const auto& page = answer->feed();
            until = until.value_or(page.newest());
            const bool has_more = !page.is_end() && !is_to_stop;
            request.mutable_feed()->set_place(page.place());
            if (has_more) {
                next = cli::ask_ahead(*common_, request);
            }
            if (page.begins_anew() && !common_->quiet) {
                progress_.clear();
                fmt::print(stderr,
                           "The store was made anew or put back: all changes come again.\n");
            }
            if (page.place() != place) {
                if (auto taken = feeder.take(page); !taken) {
                    return taken;
                }
                place = page.place();
                progress_.show(fmt::format("{} of {} changes", feeder.taken(), page.newest()));
            }
            const bool is_caught_up =
                page.is_end() || (page.changes_size() > 0 &&
                                  page.changes(page.changes_size() - 1).number() >= *until);
            if (is_caught_up && Clock::now() >= told + tell_every) {
                told = Clock::now();
                complained_.clear();
                tell(feeder.views_trouble().empty()
                         ? ""
                         : fmt::format("a view cannot be made: {}", feeder.views_trouble()));
            }
            if (is_to_stop || (is_caught_up && !options_->follows)) {
                return {};
            }
            if (!has_more) {
                feeder.show_views();
                progress_.clear();
                if (!pause(look_again)) {
                    return {};
                }
                next = cli::ask_ahead(*common_, request);
            }
        }
    }

    // A sink that was killed left what it was saving.
    void remove_leftovers() const {
        if (options_->attachments.empty()) {
            return;
        }
        std::error_code error;
        for (const auto& file : fs::directory_iterator(options_->attachments, error)) {
            const auto written = fs::last_write_time(file, error);
            if (!error && file.path().extension() == ".part" &&
                written < fs::file_time_type::clock::now() - leftover_after) {
                fs::remove(file, error);
            }
        }
    }

    // An office that does not answer has other troubles.
    void tell(const std::string& trouble) {
        wire::Request request;
        request.mutable_sink()->set_name(name_);
        request.mutable_sink()->set_trouble(trouble);
        wire::Answer answer;
        (void)ask(*common_, request, answer);
    }

    const cli::Common* common_;
    const Options* options_;
    cli::ProgressLine progress_;
    std::string name_;
    bool was_locked_ = false;
    std::string complained_;
};

Outcome<void> check(Options& options) {
    if (options.attachments.empty()) {
        return {};
    }
    std::error_code error;
    options.attachments = fs::absolute(options.attachments, error).lexically_normal().string();
    while (options.attachments.size() > 1 && options.attachments.ends_with('/')) {
        options.attachments.pop_back();
    }
    fs::create_directories(options.attachments, error);
    return error ? Outcome<void>(std::unexpected(
                       Failure{exit_failed, "failed",
                               fmt::format("cannot make {}: {}",
                                           cli::safe_line(options.attachments), error.message()),
                               "name another folder"}))
                 : Outcome<void>{};
}

int run(const cli::Common& common, Options options) {
    const auto kind = kind_of(options.dsn);
    if (!kind) {
        return report(common, kind.error());
    }
    if (options.only_schema) {
        fmt::print("{}", schema_text(*kind->dialect));
        return exit_done;
    }
    if (const auto checked = check(options); !checked) {
        return report(common, checked.error());
    }
    if (options.follows) {
        struct sigaction action{};
        action.sa_handler = stop;
        sigaction(SIGTERM, &action, nullptr);
        sigaction(SIGINT, &action, nullptr);
    }
    return Sink(common, options, kind->name).run();
}

}  // namespace

}  // namespace fieldpost::sink

int main(int argc, char* argv[]) {
    using namespace fieldpost;
    ::umask(0027);
    CLI::App app{"Puts an office's reports, and all that changes about them, into a database.",
                 "fieldpost-sink"};
    app.set_version_flag("--version", "fieldpost-sink " FIELDPOST_VERSION);
    cli::Common common;
    common.home = home::default_home();
    sink::Options options;
    std::string timeout;
    app.add_option("DSN", options.dsn, "sqlite:FILE, or a PostgreSQL connection string")
        ->required();
    app.add_option("--home", common.home, "the office's own folder");
    app.add_flag("--follow", options.follows, "go on until stopped");
    app.add_option("--attachments", options.attachments, "save attachments in this folder");
    app.add_flag("--schema", options.only_schema, "print what would be created, and end");
    app.add_option("--timeout", timeout, "how long the daemon may stay silent: 10s");
    app.add_flag("--quiet", common.quiet, "no words on standard error but errors and warnings");
    app.footer(
        "Example: fieldpost-sink postgresql:///reports --follow\n"
        "A password comes from the file that PGPASSFILE names.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) {
            return app.exit(error);
        }
        std::string words = error.what();
        std::ranges::replace(words, '\n', ' ');
        return report(common, {exit_usage, "usage", words, "see: fieldpost-sink --help"});
    }
    if (!timeout.empty()) {
        const auto seconds = parse_duration(timeout);
        if (!seconds || *seconds == 0) {
            return report(common, cli::no_duration(timeout));
        }
        common.timeout_s = *seconds;
    }
    crypto::start();
    return sink::run(common, std::move(options));
}
