--- script
require ["fileinto"];
if allof (true, not false) { fileinto "1"; }
if allof (true, false) { fileinto "2"; }
if anyof (false, true) { fileinto "3"; }
if anyof (false, false) { fileinto "4"; }
if exists ["from","subject"] { fileinto "5"; }
if exists ["from","x-none"] { fileinto "6"; }
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
fileinto 5
