// Options of `queue`, or a JSON object, from which a report is queued, as a request to the
// daemon.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "proto/bytes.h"

namespace fieldpost::cli {

struct QueueOptions {
    std::vector<std::string> to;
    std::string subject;
    std::string priority = "normal";
    std::string expires;
    std::string type;
    std::uint32_t form_version = 0;  // only a program or a form gives it
    std::vector<std::string> fields;
    std::vector<std::string> attachments;
    std::string reply_to;
    std::string replaces;
    std::string staff;
    std::string key;
    std::string text;  // of a JSON object, or of --text
    bool has_text = false;
};

// Reads the whole file that is named as an attachment.
using ReadAttachment = std::function<Outcome<Bytes>(const std::string& path)>;
// Any file on this machine, up to the size that a record may have.
Outcome<Bytes> read_attachment(const std::string& path);

// The request with everything but the text. invalid: what is wrong, and what to do.
Outcome<wire::Request> queue_request_of(const QueueOptions& options, const ReadAttachment& read);

// A report as a form or a script writes it: one JSON object. Its keys are put into `options`, which
// has what is not given there. invalid: what is wrong.
Outcome<QueueOptions> read_json_report(std::string_view input, QueueOptions options);

}  // namespace fieldpost::cli
