// Goal: the folders keep the promises that make them separate.
// Method: read every #include "..." of ours and compare with who may include whom.
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

namespace fs = std::filesystem;

namespace {

// What a folder may include besides itself. A name with a dot is one header.
const std::map<std::string, std::set<std::string>> may_include = {
    {"proto", {}},
    {"crypto", {"proto"}},
    {"daemon/link", {"proto"}},
    {"cli", {"proto", "crypto"}},
    {"storage", {"proto", "crypto/hash.h", "crypto/box.h", "crypto/secret.h"}},
    {"daemon/control", {"proto", "crypto/hash.h", "crypto/box.h", "crypto/secret.h"}},
    {"daemon/engine", {"proto", "crypto", "storage/record_store.h"}},
    {"daemon/runtime",
     {"proto", "crypto", "storage", "daemon/engine", "daemon/link", "daemon/control"}},
};

std::string folder_of(const std::string& path) {
    for (const auto& [folder, allowed] : may_include) {
        if (path.starts_with(folder + "/")) {
            return folder;
        }
    }
    return "";
}

}  // namespace

TEST_CASE("every folder includes only what it may", "[layout]") {
    const fs::path root = FIELDPOST_SOURCE_DIR;
    const std::regex include{R"re(^\s*#include "([^"]+)")re"};
    int files = 0;
    for (const auto& [folder, allowed] : may_include) {
        if (!fs::exists(root / folder)) {
            continue;
        }
        for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
            const auto extension = entry.path().extension();
            if (extension != ".h" && extension != ".cpp") {
                continue;
            }
            ++files;
            const auto name = fs::relative(entry.path(), root).string();
            std::ifstream in(entry.path());
            for (std::string line; std::getline(in, line);) {
                std::smatch match;
                if (!std::regex_search(line, match, include)) {
                    continue;
                }
                const auto included = match[1].str();
                INFO(name << " includes \"" << included << "\"; " << folder
                          << " may not (tests/unit/layout_test.cpp says who may include whom)");
                const auto from = folder_of(included);
                CHECK((from == folder || allowed.contains(from) || allowed.contains(included)));
            }
        }
    }
    CHECK(files > 20);
}

TEST_CASE("no header of ours shows a library that is an implementation's own business",
          "[layout]") {
    const fs::path root = FIELDPOST_SOURCE_DIR;
    const std::regex hidden{R"re(^\s*#include [<"](zmq|lmdb|sodium|.*\.pb\.h))re"};
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
                CHECK_FALSE(std::regex_search(line, hidden));
            }
        }
    }
}
