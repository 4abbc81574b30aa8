#include <fmt/format.h>

#include "cli/bundle_files.h"
#include "cli/text.h"

namespace fieldpost::cli {

// No trouble for a file that is still being written, or never will be finished: it is expected to
// end too early.
std::vector<std::string> troubles_of(const std::filesystem::path& path, const ReadBundle& told) {
    std::vector<std::string> all;
    if (!told.broken_off.empty()) {
        all.push_back(told.broken_off + "; what is before that was taken in");
    }
    if (!told.is_bundle) {
        return all;
    }
    if (!told.refused.empty()) {
        all.push_back(told.refused);
    }
    for (const auto& [words, reports] : told.reasons) {
        all.push_back(reports > 0 ? fmt::format("{} ({} reports)", words, reports) : words);
    }
    if (told.lacks_key) {
        all.emplace_back(
            "its reports are sealed with a newer key than this office has; link this "
            "office to another one, or import a stick that was written later");
    } else if (!told.is_whole && told.refused.empty() && told.broken_off.empty() &&
               path.extension() != ".part") {
        all.push_back(told.damaged_bytes > 0
                          ? fmt::format("damaged: {} cannot be read; the rest was taken in",
                                        human_size(told.damaged_bytes))
                          : "it ends too early; what is there was taken in");
    }
    return all;
}

}  // namespace fieldpost::cli
