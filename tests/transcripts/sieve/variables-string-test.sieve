--- script
require ["variables","relational","fileinto"];
set "s" "abc";
if string :matches "${s}" "a*" { fileinto "${1}"; }
if string :count "eq" ["","x"] "1" { fileinto "one"; }
set :quotewildcard "q" "a*?"; fileinto "${q}";
--- message
From: Grace Hopper <grace+navy@example.org>
To: Ada <ada@example.com>, ben@example.net
Subject: Hello World 42
Date: Tue, 24 Nov 2026 10:30:00 +0200
Message-ID: <m1@example.org>
X-Spam-Score: 7
Content-Type: text/plain; charset=utf-8

The quick brown fox.
--- expect
fileinto bc
fileinto one
fileinto a\*\?
