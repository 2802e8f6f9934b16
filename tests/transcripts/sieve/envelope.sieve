--- script
require ["envelope","fileinto"];
if envelope :domain "from" "example.org" { fileinto "1"; }
if envelope "to" "ada@example.com" { fileinto "2"; }
if envelope :localpart "from" "x" { fileinto "3"; }
--- given
from: noor@example.org
to: ada@example.com
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
fileinto 1
fileinto 2
