// Speaks to a daemon's control socket as the command does, without a process for every request.
#pragma once

#include <filesystem>
#include <string>

namespace fieldpost::bench {

class ControlClient {
public:
    explicit ControlClient(const std::filesystem::path& home) : path_(home / "control") {}

    // False: no answer, or a problem. True: it is durable.
    [[nodiscard]] bool queue(const std::string& to, const std::string& text) const;
    // Asks for the reports that wait for each office. The daemon then looks at every header that it
    // holds.
    [[nodiscard]] bool peers() const;
    [[nodiscard]] bool status() const;
    // The newest 50 that fit.
    struct ListFilter {
        std::string state{};
        std::string from{};
        std::string type{};
        int priority = 0;  // 0: any
        bool unanswered = false;
    };
    [[nodiscard]] bool list(const ListFilter& filter) const;
    // The ID; empty: it was not queued.
    [[nodiscard]] std::string queue_urgent(const std::string& to, const std::string& text) const;
    [[nodiscard]] bool is_delivered(const std::string& id) const;
    // True if the daemon answers at all. The request costs it next to nothing.
    [[nodiscard]] bool answers() const;

private:
    std::filesystem::path path_;
};

}  // namespace fieldpost::bench
