// Goal: the folders keep the promises that make them separate.
// Method: read every #include "..." of ours and compare with the list of folders that each folder
// may include.
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>

namespace fs = std::filesystem;

namespace {

// The folders that a folder may include besides itself. A name with a dot is one header.
const std::map<std::string, std::set<std::string>> may_include = {
    {"proto", {}},
    {"crypto", {"proto"}},
    {"daemon/link", {"proto"}},
    {"daemon/home", {"proto", "crypto"}},
    {"cli", {"proto", "crypto", "daemon/home"}},
    {"sink", {"proto", "crypto/secret.h", "daemon/home", "cli"}},
    {"storage", {"proto", "crypto/hash.h", "crypto/box.h", "crypto/secret.h"}},
    {"daemon/control", {"proto", "crypto/hash.h", "crypto/box.h", "crypto/secret.h"}},
    {"daemon/engine", {"proto", "crypto", "storage/record_store.h"}},
    {"daemon/runtime",
     {"proto", "crypto", "storage", "daemon/home", "daemon/engine", "daemon/link",
      "daemon/control"}},
};

// The name in an #include with the quote or bracket before it. Empty for any other line.
std::string included_by(const std::string& line) {
    const auto at = line.find_first_not_of(" \t");
    if (at == std::string::npos || !line.substr(at).starts_with("#include ")) {
        return "";
    }
    const auto from = line.find_first_of("\"<", at);
    const auto to = line.find_first_of("\">", from + 1);
    return from == std::string::npos || to == std::string::npos ? "" : line.substr(from, to - from);
}

std::string folder_of(const std::string& path) {
    for (const auto& [folder, allowed] : may_include) {
        if (path.starts_with(folder + "/")) {
            return folder;
        }
    }
    return "";
}

// For each #include "..." in a file there or below, with the name of the file. Returns how many
// files it has seen.
int for_each_include(const fs::path& folder,
                     const std::function<void(const std::string&, const std::string&)>& see) {
    const fs::path root = FIELDPOST_SOURCE_DIR;
    int files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
        const auto extension = entry.path().extension();
        if (extension != ".h" && extension != ".cpp") {
            continue;
        }
        ++files;
        std::ifstream in(entry.path());
        for (std::string line; std::getline(in, line);) {
            const auto included = included_by(line);
            if (included.starts_with('"')) {
                see(fs::relative(entry.path(), root).string(), included.substr(1));
            }
        }
    }
    return files;
}

// Headers that show a library because the files that share it need it, and nobody else may.
const std::set<std::string> of_one_folder = {"daemon/link/curve_socket.h",
                                             "daemon/link/listener.h"};

}  // namespace

TEST_CASE("every folder includes only what it may", "[layout]") {
    int files = 0;
    for (const auto& [folder, allowed] : may_include) {
        files += for_each_include(folder, [&](const auto& name, const auto& included) {
            INFO(name << " includes \"" << included << "\"; " << folder
                      << " may not (tests/unit/layout/layout_test.cpp says who may include whom)");
            const auto from = folder_of(included);
            CHECK((from == folder || allowed.contains(from) || allowed.contains(included)));
            CHECK((from == folder || !of_one_folder.contains(included)));
        });
    }
    CHECK(files > 20);
}

TEST_CASE("in the engine, links and sticks use what is common to them, and it does not know them",
          "[layout]") {
    const std::string engine = "daemon/engine/";
    const auto room_of = [&](const std::string& path) {
        const auto rest = path.substr(engine.size());
        return rest.contains('/') ? rest.substr(0, rest.find('/')) : "";
    };
    int rooms = 0;
    for_each_include(engine, [&](const auto& name, const auto& included) {
        // The parts of an engine come from all rooms.
        if (!included.starts_with(engine) || name == engine + "engine_parts.h") {
            return;
        }
        const auto to = room_of(included);
        INFO(name << " includes \"" << included << '"');
        rooms += to.empty() ? 0 : 1;
        CHECK((to == room_of(name) || (to != "session" && to != "bundle")));
    });
    CHECK(rooms > 20);
}

TEST_CASE("no header of ours shows a library that is an implementation's own business",
          "[layout]") {
    const fs::path root = FIELDPOST_SOURCE_DIR;
    for (const auto& [folder, allowed] : may_include) {
        if (!fs::exists(root / folder)) {
            continue;
        }
        for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
            if (entry.path().extension() != ".h") {
                continue;
            }
            std::ifstream in(entry.path());
            for (std::string line; std::getline(in, line);) {
                INFO(entry.path().filename().string() << ": " << line);
                const auto included = included_by(line);
                const bool is_hidden =
                    included.ends_with(".pb.h") || included.starts_with("<zmq") ||
                    included.starts_with("<libpq") || included.starts_with("<sqlite3") ||
                    included.starts_with("<lmdb") || included.starts_with("<sodium");
                const auto header = fs::relative(entry.path(), root).string();
                CHECK_FALSE((is_hidden && !of_one_folder.contains(header)));
            }
        }
    }
}
