// The folders that are looked after: each [[folder]] by `fieldpost bundle follow`, each [[spool]]
// by `fieldpost spool`, in a process of its own.
//
// Promise: a folder on a share that does not answer, or on a medium that went, costs this process
// nothing: no file there is opened here. A command that ends is started again after a while; all
// end with the daemon.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/engine/inputs.h"
#include "daemon/home/office_home.h"
#include "daemon/runtime/configuration.h"

namespace fieldpost::runtime {

// A folder, and the command that looks after it, without --home.
struct FolderWork {
    std::string path;
    std::vector<std::string> words;
    bool operator==(const FolderWork&) const = default;
};
std::vector<FolderWork> folder_works(const Configuration& configuration);

class Folders {
public:
    explicit Folders(const home::OfficeHome& home) : home_(home) {}
    ~Folders() { keep({}); }
    Folders(const Folders&) = delete;
    Folders& operator=(const Folders&) = delete;

    // These and no others from now on.
    void keep(const std::vector<FolderWork>& wanted);
    // Starts what is due.
    void turn(Instant now);
    [[nodiscard]] std::optional<Instant> wake_at() const;

    // Notes the trouble in one folder. An empty trouble ends it.
    void note(const std::string& path, std::string trouble);
    // Tells the troubles of all folders, if they have changed since the last call.
    std::optional<engine::Input> take_news();

private:
    struct Followed {
        FolderWork work{};
        pid_t process = -1;
        Instant start_at{};
        std::string trouble{};
    };
    void start(Followed& folder, Instant now);

    const home::OfficeHome& home_;
    std::vector<Followed> folders_;
    std::vector<pid_t> ending_;
    Instant look_at_{};
    std::optional<std::string> told_;
};

}  // namespace fieldpost::runtime
