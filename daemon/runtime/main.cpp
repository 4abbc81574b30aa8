// fieldpostd: the daemon on each office machine.
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <CLI/CLI.hpp>

#include "crypto/secret.h"
#include "daemon/runtime/office.h"
#include "daemon/runtime/version.h"

namespace {

using namespace fieldpost;

// One member can make libzmq grow without end below us; with this its connection fails instead. A
// record of the largest size is in memory a few times over while it is queued.
void limit_process() {
#ifndef __SANITIZE_ADDRESS__  // whose shadow alone is larger
    constexpr rlim_t data_bytes = 768U << 20;
    const rlimit data{data_bytes, data_bytes};
    setrlimit(RLIMIT_DATA, &data);
#endif
    // Two for each connection; 1,024 is little where many offices meet one.
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    // For the keys.
    rlimit locked{};
    if (getrlimit(RLIMIT_MEMLOCK, &locked) == 0) {
        locked.rlim_cur = locked.rlim_max;
        setrlimit(RLIMIT_MEMLOCK, &locked);
    }
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_DUMPABLE, 0);
}

int stop(runtime::Stop code, const std::string& why) {
    fmt::print(stderr, "fieldpostd: {}\n", why);
    return static_cast<int>(code);
}

}  // namespace

int main(int argc, char* argv[]) {
    CLI::App app{"fieldpostd keeps an office's reports and passes them on whenever a link appears.",
                 "fieldpostd"};
    app.footer("Example: fieldpostd --home /var/lib/fieldpost --listen tcp://*:6743");
    auto home = home::default_home();
    runtime::Configuration options;
    std::string level = "info";
    bool check_only = false;
    app.add_option("--home", home, "the office's own folder");
    app.add_option("--listen", options.listen, "address to listen on, tcp://*:6743")
        ->allow_extra_args(false);
    std::vector<std::string> addresses;
    app.add_option("--peer", addresses, "address of another office, tcp://HOST:PORT")
        ->allow_extra_args(false);
    app.add_flag("!--no-beacon", options.beacon, "neither call nor be found in the local network");
    app.add_option("--log-level", level, "debug, info, warn or error")
        ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
    app.add_flag("--check", check_only, "only check the configuration");
    app.set_version_flag("--version", fmt::format("fieldpost {}", runtime::version));
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) {
            return app.exit(error);  // help, version
        }
        fmt::print(stderr, "fieldpostd: {}; see: fieldpostd --help\n", error.what());
        return 2;
    }
    for (const auto& address : addresses) {
        options.peers.push_back({address});
    }
    crypto::start();
    limit_process();
    spdlog::set_default_logger(spdlog::stderr_logger_st("fieldpostd"));
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S%z %l %v");
    spdlog::set_level(spdlog::level::from_str(level));

    const home::OfficeHome office(home);
    const auto configuration = runtime::read_configuration(office.configuration(), options);
    if (!configuration) {
        return stop(runtime::Stop::bad_configuration, configuration.error().detail);
    }
    if (check_only) {
        std::error_code unknown;
        return std::filesystem::is_directory(home, unknown)
                   ? 0
                   : stop(runtime::Stop::no_office,
                          fmt::format("there is no folder {}", home.string()));
    }
    if (!crypto::are_secrets_locked()) {
        spdlog::warn("keys may be written to swap: this process may not lock memory (ulimit -l)");
    }
    const auto ended = runtime::run_office(office, *configuration, options);
    if (ended.stop != runtime::Stop::clean) {
        return stop(ended.stop, ended.why);
    }
    return 0;
}
