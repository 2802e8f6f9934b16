--- script
require ["editheader","fileinto"];
fileinto "before"; addheader "X-New" "é"; addheader :last "X-Last" "end"; deleteheader "x-spam-score"; deleteheader :contains "subject" "nope"; deleteheader "Received";
if header "x-new" "é" { keep; }
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
fileinto before
keep as:
  X-New: =?utf-8?B?w6k=?=
  From: Grace Hopper <grace+navy@example.org>
  To: Ada <ada@example.com>, ben@example.net
  Subject: Hello World 42
  Date: Tue, 24 Nov 2026 10:30:00 +0200
  Message-ID: <m1@example.org>
  Content-Type: text/plain; charset=utf-8
  X-Last: end
