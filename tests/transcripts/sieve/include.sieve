--- script
require ["include","variables","fileinto"];
global "g"; set "g" "from outside"; include "inner"; include :once "inner"; include :optional "missing";
fileinto "${g}";
--- given
script inner: require ["include","variables","fileinto"]; global "g"; fileinto "${g}"; set "g" "from inside"; return; discard;
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
fileinto from outside
fileinto from inside
