// `fieldpost spool DIR`: gives a SpoolFolder (spool_folder.h) the daemon of the home and the clock.
// The daemon runs it for each [[spool]].
#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>

#include "cli/bundle_files.h"
#include "cli/command.h"
#include "cli/spool/confinement.h"
#include "cli/spool/spool_folder.h"
#include "cli/text.h"
#include "proto/control.pb.h"
#include "proto/duration_text.h"

namespace fieldpost::cli {

namespace fs = std::filesystem;

namespace {

struct SpoolWords {
    std::string folder;
    std::vector<std::string> to;
    std::vector<std::string> allow;
    std::string keep = "7d";
};

class RealHands : public SpoolHands {
public:
    RealHands(const Common& common, fs::path folder)
        : common_(common), folder_(std::move(folder)) {}

    [[nodiscard]] SpoolTime now() const override { return std::chrono::steady_clock::now(); }
    [[nodiscard]] std::int64_t unix_now() const override { return cli::unix_now(); }
    Outcome<std::string> queue(const wire::Request& request) override {
        wire::Answer answer;
        if (auto asked = ask(common_, request, answer, Asking::to_change); !asked) {
            return std::unexpected(asked.error());
        }
        return answer.id();
    }
    Outcome<void> tell(const std::string& trouble) override {
        wire::Request request;
        request.mutable_folder()->set_path(folder_.string());
        request.mutable_folder()->set_trouble(trouble);
        wire::Answer answer;
        return ask(common_, request, answer);
    }
    void say(const std::string& words) override {
        fmt::print(stderr, "{}: {}\n", safe_line(folder_.string()), safe_line(words));
    }

private:
    const Common& common_;
    fs::path folder_;
};

// Waits for a file that a program on this machine has written or moved there.
class Arrivals {
public:
    explicit Arrivals(fs::path folder)
        : folder_(std::move(folder)), fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}
    ~Arrivals() { ::close(fd_); }
    Arrivals(const Arrivals&) = delete;
    Arrivals& operator=(const Arrivals&) = delete;

    // True: one came.
    bool wait(std::chrono::milliseconds at_most) {
        // Again each time: the folder may have gone and come back.
        ::inotify_add_watch(fd_, folder_.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO);
        pollfd watched{fd_, POLLIN, 0};
        if (::poll(&watched, 1, static_cast<int>(at_most.count())) <= 0) {
            return false;
        }
        std::array<char, 4096> events{};
        while (::read(fd_, events.data(), events.size()) > 0) {
        }
        return true;
    }

private:
    fs::path folder_;
    int fd_;
};

int run_spool(const Common& common, const SpoolWords& words) {
    using namespace std::chrono_literals;
    const auto keep = parse_duration(words.keep);
    if (!keep) {
        return report(common, no_duration(words.keep));
    }
    const Interruptible interruptible;
    // Comes if a program opens a file just while this one looks whether it is open.
    ::signal(SIGIO, SIG_IGN);
    auto quiet = common;
    quiet.quiet = true;
    RealHands hands(quiet, words.folder);
    Arrivals arrivals(words.folder);
    // Identifies the folder. Another one may take its place when a share comes back.
    const auto place = [&] {
        struct stat about{};
        return ::stat(words.folder.c_str(), &about) == 0
                   ? std::optional(std::pair(about.st_dev, about.st_ino))
                   : std::nullopt;
    };
    auto begun_at = place();
    bool is_confined = confine_to(words.folder);
    SpoolFolder spool(
        hands, words.folder,
        {words.to, {words.allow.begin(), words.allow.end()}, std::chrono::seconds{*keep}});
    if (!is_confined && begun_at) {
        hands.say("this kernel, or the unit, does not let this process give up its rights");
    }
    while (!Interruptible::is_interrupted()) {
        if (const auto here = place(); here && here != begun_at) {
            if (is_confined) {
                // This process may not open the other one. The daemon starts it anew.
                return exit_done;
            }
            begun_at = here;
            is_confined = confine_to(words.folder);
        }
        auto next = spool.turn();
        if (!next) {
            return report(common, next.error());
        }
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*next - hands.now());
        if (wait > 0ms && arrivals.wait(wait)) {
            // It is looked at now, and taken when it is the same a little later.
            if (next = spool.turn(); !next) {
                return report(common, next.error());
            }
            ::poll(nullptr, 0, SpoolFolder::same_for_ms);
        }
    }
    return exit_done;
}

}  // namespace

void add_spool(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand(
        "spool", "queue what is put into a folder; the daemon does so for each [[spool]]");
    auto options = std::make_shared<SpoolWords>();
    command->add_option("DIR", options->folder, "the folder")->required();
    command->add_option("--to", options->to, "an office or a @group; may be repeated")
        ->required()
        ->allow_extra_args(false);
    command->add_option("--allow", options->allow, "what a JSON file may give itself")
        ->allow_extra_args(false)
        ->check(CLI::IsMember({"to", "staff", "key", "replaces"}));
    command->add_option("--keep", options->keep, "how long done/ keeps a file: 7d");
    command->footer("Example: fieldpost spool /srv/reports --to hq");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_spool(common, *options); };
    });
}

}  // namespace fieldpost::cli
