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
    // True if the daemon answers at all. The request costs it next to nothing.
    [[nodiscard]] bool answers() const;

private:
    std::filesystem::path path_;
};

}  // namespace fieldpost::bench
