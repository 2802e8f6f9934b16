--- script
require ["fileinto", "comparator-i;ascii-numeric", "relational"];
if header :comparator "i;ascii-numeric" "x-spam-score" "07" { fileinto "1"; }
if header :value "gt" :comparator "i;ascii-numeric" "x-spam-score" "10" { fileinto "2"; }
if header :value "ge" :comparator "i;ascii-numeric" "x-spam-score" "5" { fileinto "3"; }
if header :value "gt" :comparator "i;ascii-numeric" "subject" "999" { fileinto "4"; }
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
fileinto 3
fileinto 4
